/**
 * Figures as text: each with its unit, grouped in thousands, `–` for what is not known.
 *
 * A number and its unit are held together by a no-break space.
 */

const UNKNOWN = "–";

const SPACE = "\u00a0";
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const formats = [0, 1, 2].map(
  (digits) => new Intl.NumberFormat("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
);

const compactFormat = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

const isKnown = (value) => typeof value === "number" && Number.isFinite(value);
const decimal = (value, digits) => formats[digits].format(value);

/** Three digits that matter, no decimals from 100 on. */
const short = (value) => decimal(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);

/** A whole number, in full. */
export const count = (value) => (isKnown(value) ? decimal(value, 0) : UNKNOWN);

/** A number, from ten millions on with three digits only, where a column must not grow. */
export const compact = (value) => (isKnown(value) && value >= 10_000_000 ? compactFormat.format(value) : count(value));

/** A count with its noun: `1 frame`, `2 frames`. */
export const counted = (value, noun) => `${count(value)}${SPACE}${noun}${value === 1 ? "" : "s"}`;

/** Frames a second, without the unit. */
export const rate = (value) => (isKnown(value) ? decimal(value, value > 0 && value < 99.95 ? 1 : 0) : UNKNOWN);

/** A percentage of what is given in percent. */
export function percent(value) {
  if (!isKnown(value)) return UNKNOWN;
  return `${decimal(value, value > 0 && value < 9.95 ? 1 : 0)}${SPACE}%`;
}

/** A percentage of what is given as a share, 0 to 1. */
export const share = (value) => (isKnown(value) ? percent(value * 100) : UNKNOWN);

/** A latency given in milliseconds. */
export function milliseconds(value) {
  if (!isKnown(value)) return UNKNOWN;
  return value < 10_000 ? `${short(value)}${SPACE}ms` : duration(value / 1000);
}

/** A short while given in milliseconds, no finer than an eye can follow. */
export const seconds = (ms) => (isKnown(ms) ? `${(ms / 1000).toFixed(1)}${SPACE}s` : UNKNOWN);

/** A size in binary units. */
export function bytes(value) {
  if (!isKnown(value)) return UNKNOWN;
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  const power = Math.min(BYTE_UNITS.length - 1, size < 1 ? 0 : Math.floor(Math.log2(size) / 10));
  const scaled = size / 1024 ** power;
  return `${sign}${power === 0 ? decimal(scaled, 0) : short(scaled)}${SPACE}${BYTE_UNITS[power]}`;
}

/** How long, given in seconds: at most two units. */
export function duration(seconds) {
  if (!isKnown(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86_400);
  const hours = Math.floor(whole / 3600) % 24;
  const minutes = Math.floor(whole / 60) % 60;
  if (days) return `${count(days)}${SPACE}d ${hours}${SPACE}h`;
  if (hours) return `${hours}${SPACE}h ${minutes}${SPACE}min`;
  if (minutes) return `${minutes}${SPACE}min ${whole % 60}${SPACE}s`;
  return `${whole}${SPACE}s`;
}

/** The time of day of an ISO 8601 text, in this browser's zone; with the date unless it is of today. */
export function clock(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text || UNKNOWN;
  const time = at.toLocaleTimeString("en-GB");
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}

/** Words of a name that programs use: `worker_exited` is `worker exited`. */
export const words = (name) => name.replaceAll("_", " ");

/** Several names in a sentence, the later ones counted only. */
export function listed(names, shown = 3) {
  if (names.length > shown) return `${names.slice(0, shown).join(", ")} and ${names.length - shown} more`;
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
