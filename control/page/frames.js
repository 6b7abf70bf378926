/** Frames: the account of all that came, and the errors among its outcomes. */

import { bytes, count } from "./figure.js";
import { Pairs, byId, reveal, write } from "./element.js";

/** Counted apart from the account, and told where there are any. */
const APART = [
  ["retried", "tried again"],
  ["lost", "lost with a broker"],
  ["replies_dropped", "answered in vain"],
  ["stale_answers", "answered too late by a worker"],
  ["malformed", "unreadable as requests"],
];

export class Frames {
  #counts = [...byId("account").querySelectorAll("dd")];
  #errors = new Pairs(byId("errors"));

  /** All counts come from one message, so that they add up whenever one looks. */
  show({ frames, errors }) {
    for (const cell of this.#counts) write(cell, count(frames[cell.dataset.count]));
    const apart = APART.filter(([name]) => frames[name] > 0).map(([name, words]) => `${count(frames[name])} ${words}`);
    const sizes = `${bytes(frames.payload_bytes)} in, ${bytes(frames.reply_bytes)} out`;
    write(byId("account-more"), [sizes, ...apart].join(" · "));
    const codes = Object.entries(errors).filter(([, times]) => times > 0);
    codes.sort(([, one], [, other]) => other - one);
    this.#errors.show(codes.map(([code, times]) => [code, count(times)]));
    reveal(byId("errors-none"), codes.length === 0);
  }
}
