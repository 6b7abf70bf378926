/**
 * Headline: how it is, in one sentence. Pure: from what was told to words, and nothing is shown here.
 *
 * The state is the daemon's own verdict (`/health`); only its words are made here.
 */

import { counted, listed, milliseconds, rate } from "./figure.js";

const SEVERITY = { unhealthy: 0, degraded: 1, ok: 2 };
const OPENING = { ok: "All is well.", degraded: "Degraded:", unhealthy: "Unhealthy:" };

/** What a state of a service means, in words that follow its name, for one and for several. */
const TROUBLE = {
  spawning: ["is starting", "are starting"],
  backoff: ["has ended and will be started again", "have ended and will be started again"],
  draining: ["is finishing its work", "are finishing their work"],
  stopped: ["is stopped", "are stopped"],
  failed: ["has failed too often and is not started again", "have failed too often and are not started again"],
};

const PROPER = { supervisor: "the supervisor", broker: "the broker", control: "the control plane" };

/** What a check means that is not of a service; its detail stands below the sentence. */
const PLAIN = {
  queue: "the queue is nearly full",
  alerts: "an alert fires",
  canary: "test pictures do not come through",
  sandbox: "workers lack their sandbox",
};

/** Checks that are not ok, worst first, each `{name, status, detail}`. */
export function failing(health) {
  return Object.entries(health?.checks ?? {})
    .map(([name, check]) => ({ name, ...check }))
    .filter((check) => check.status !== "ok")
    .sort((one, other) => SEVERITY[one.status] - SEVERITY[other.status]);
}

/** The sentence for what was told, of which each part may still be null, and for the titles of firing alerts. */
export function headline(health, metrics, services, alerts = []) {
  if (!health) return "Connecting";
  if (health.status === "ok") return `${OPENING.ok} ${flow(metrics)}`.trim();
  return `${OPENING[health.status] ?? "Unknown:"} ${cause(failing(health), services, alerts)}.`;
}

/** How much comes through, and how fast. */
function flow(metrics) {
  if (!metrics) return "";
  const { throughput_fps: fps, recent_latency_ms: latency, frames } = metrics;
  const waiting = frames.queued + frames.in_flight;
  if (!fps && waiting) return `Nothing was finished lately; ${counted(waiting, "frame")} in hand.`;
  if (!fps) return "No frames at the moment.";
  const speed = `${rate(fps)} frames a second`;
  return latency.p95 === null ? `${speed}.` : `${speed}, 95 % within ${milliseconds(latency.p95)}.`;
}

/** The worst reason: in words where services are the reason, else as the check says it. */
function cause(checks, services, alerts) {
  if (checks.length === 0) return "the reason is not known yet";
  const worst = checks.filter(({ status }) => status === checks[0].status);
  // A queue fills up because workers died, and not the other way round: services come first.
  const said = worst.map(({ name }) => trouble(services?.services.filter(({ kind }) => kind === name))).find(Boolean);
  const more = checks.length > 1 ? `, and ${counted(checks.length - 1, "further reason")}` : "";
  const alarm = worst[0].name === "alerts" && alerts.length ? listed(alerts.map(uncapitalized)) : null;
  return `${said ?? alarm ?? PLAIN[worst[0].name] ?? `${worst[0].name}: ${worst[0].detail}`}${more}`;
}

const uncapitalized = (title) => title[0].toLowerCase() + title.slice(1);

function trouble(services = []) {
  const state = Object.keys(TROUBLE).findLast((each) => services.some((service) => service.state === each));
  if (!state) return null;
  const concerned = services.filter((service) => service.state === state);
  const isAgain = state === "spawning" && concerned.every((service) => service.restarts > 0);
  const names = listed(concerned.map(({ name }) => PROPER[name] ?? name));
  return `${names} ${TROUBLE[state][concerned.length > 1 ? 1 : 0]}${isAgain ? " again" : ""}`;
}
