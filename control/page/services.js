/** Services: every process, as it lives and dies. */

import { clock, count, counted, duration, percent, seconds, share, words } from "./figure.js";
import { byId, write } from "./element.js";
import { Table } from "./table.js";

/** Worst first, as they are sorted by state. */
const STATES = ["failed", "backoff", "stopped", "spawning", "draining", "ready"];
/** A process so young, after another one ended, is news. */
const YOUNG_S = 60;

const known = (value, format) => (value === null ? "" : format(value));

/** A column of figures. */
const figures = (label, name, format, more = {}) => ({
  label,
  kind: "number",
  text: (service) => known(service[name], format),
  order: (service) => service[name] ?? -1,
  isGreatestFirst: true,
  ...more,
});

export class Services {
  #table = new Table(
    byId("services"),
    [
      { label: "Service", text: ({ name }) => name, order: ({ name }) => name },
      { label: "State", text: ({ state }) => state, sign, order: ({ state }) => STATES.indexOf(state) },
      { label: "PID", kind: "number", text: ({ pid }) => known(pid, String) },
      // What was started again lately is what is looked for.
      figures("Up", "uptime_s", duration, { isGreatestFirst: false }),
      figures("Busy", "utilization", share, { share: ({ utilization }) => utilization }),
      figures("CPU", "cpu_percent", percent),
      figures("Last heard", "heartbeat_age_ms", age),
      figures("Restarts", "restarts", (times) => (times ? count(times) : "")),
      { label: "Last exit", kind: "text", text: lastExit },
    ],
    ({ name }) => name,
  );

  show({ services }) {
    const ready = services.filter(({ state }) => state === "ready").length;
    const again = services.reduce((sum, { restarts: times }) => sum + times, 0);
    const restarts = counted(again, "restart");
    write(byId("services-more"), `${ready} of ${counted(services.length, "service")} ready · ${restarts}`);
    this.#table.show(services);
  }
}

const age = (ms) => (ms < 9950 ? seconds(ms) : duration(ms / 1000));

function sign({ state, restarts: times, uptime_s: uptime }) {
  return state === "ready" && times > 0 && uptime !== null && uptime < YOUNG_S ? "young" : state;
}

function lastExit({ last_exit: exit, restarts_by_cause: causes }) {
  if (!exit) return "";
  const { signal, reason } = exit;
  const last = `${clock(exit.at)} ${signal && !reason.includes(signal) ? `${signal}: ` : ""}${reason}`;
  const told = Object.entries(causes).map(([cause, times]) => `${count(times)} ${words(cause)}`);
  return told.length ? `${last} (${told.join(", ")})` : last;
}
