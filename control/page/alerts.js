/** Alerts: those that fire, above all figures, and those resolved lately, in their place below. */

import { clock } from "./figure.js";
import { Children, byId, element, reveal, write } from "./element.js";

const TITLES = {
  memory_percent: "Memory of the host",
  response_ms: "Slow responses",
  error_percent: "Errors",
  queue_length: "Long queue",
  restart_loop: "Restarts again and again",
  arena_percent: "Arena nearly full",
  not_ready: "Frames do not come through",
  pool_failed: "A service is given up",
};

export class Alerts {
  #byName = new Map();
  #firing = list("firing-list", "since");
  #resolved = list("resolved", "resolved");

  get firing() {
    return [...this.#byName.values()].filter(({ state }) => state === "firing");
  }

  /** Take all there are: those that fire, and those resolved lately. Returns those that changed. */
  replace(alerts) {
    const changed = alerts.filter((alert) => this.#isNews(alert));
    this.#byName = new Map(alerts.map((alert) => [alert.name, alert]));
    return changed;
  }

  /** Take one. Returns those that changed. */
  add(alert) {
    const changed = this.#isNews(alert) ? [alert] : [];
    this.#byName.set(alert.name, alert);
    return changed;
  }

  show() {
    const resolved = [...this.#byName.values()].filter(({ state }) => state === "resolved");
    this.#firing.show(this.firing, ({ name }) => name);
    this.#resolved.show(resolved, ({ name }) => name);
    reveal(byId("firing"), this.firing.length > 0);
    const others = this.firing.length ? "Those that fire stand at the top." : "None fires.";
    write(byId("resolved-none"), resolved.length ? others : `${others} None was resolved in the last 10 minutes.`);
  }

  #isNews(alert) {
    return (this.#byName.get(alert.name)?.state ?? "resolved") !== alert.state;
  }
}

/** What an alert is called. */
export const titleOf = ({ name }) => TITLES[name] ?? name.replaceAll("_", " ");

function list(id, word) {
  const make = () =>
    element("li", {}, element("strong"), " ", element("span"), " ", element("span", { class: "quiet" }));
  return new Children(byId(id), make, (item, alert) => {
    const [title, detail, since] = item.children;
    write(title, titleOf(alert));
    write(detail, alert.detail);
    write(since, `${word} ${clock(alert.since)}`);
  });
}
