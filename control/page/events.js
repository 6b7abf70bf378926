/** Events: what happened, latest first, each once though it may be told again after a lost connection. */

import { clock, words } from "./figure.js";
import { byId, reveal } from "./element.js";
import { Table } from "./table.js";

const KEPT_MAX = 100;

export class Events {
  #latestFirst = [];
  #table = new Table(
    byId("events"),
    [
      { label: "Time", text: ({ at }) => clock(at) },
      { label: "Service", text: ({ service }) => service },
      { label: "What", text: ({ event }) => words(event), sign: ({ event }) => event },
      { label: "Detail", kind: "text", text: ({ detail }) => detail },
    ],
    keyOf,
  );

  /** Take events, oldest first. Returns whether any of them is new. */
  add(events) {
    const known = new Set(this.#latestFirst.map(keyOf));
    const fresh = events.filter((event) => !known.has(keyOf(event)));
    this.#latestFirst = [...fresh.toReversed(), ...this.#latestFirst].slice(0, KEPT_MAX);
    return fresh.length > 0;
  }

  show() {
    this.#table.show(this.#latestFirst);
    reveal(byId("events"), this.#latestFirst.length > 0);
    reveal(byId("events-none"), this.#latestFirst.length === 0);
  }
}

// A daemon that was started anew counts from the beginning: its time tells its first event from the first of before.
function keyOf({ id, at }) {
  return `${id} ${at}`;
}
