/** Connection: says whether the figures are of now, and if not, how old they are and when it is tried again. */

import { announce } from "./announcer.js";
import { byId, mark, reveal, write } from "./element.js";
import { Link } from "./feed.js";
import { duration } from "./figure.js";

/** Figures come twice a second. Older than this they are shown as old. */
const OLD_MS = 2500;
const WORDS = {
  connecting: "connecting",
  live: "live",
  old: "silent",
  lost: "no connection",
  refused: "token needed",
};

export class Connection {
  #feed;
  #wasLost = false;

  constructor(feed) {
    this.#feed = feed;
    byId("retry").addEventListener("click", () => feed.open());
  }

  /** A sentence where nothing is known of now; empty where all is. */
  absence(heardAt, now) {
    if (this.#feed.link === Link.REFUSED) return "The daemon asks for its token.";
    if (heardAt === null && this.#feed.link === Link.LOST) return "No connection to the daemon.";
    if (heardAt === null) return "Connecting to the daemon.";
    if (this.#feed.link !== Link.LIVE) return "The connection to the daemon is lost.";
    return now - heardAt > OLD_MS ? "The daemon says nothing new." : "";
  }

  show(heardAt, now) {
    const { link, reason, retryAt } = this.#feed;
    const age = heardAt === null ? "" : `The figures below are ${duration((now - heardAt) / 1000)} old. `;
    const isOld = link === Link.LIVE && heardAt !== null && now - heardAt > OLD_MS;
    const shown = isOld ? "old" : link;
    mark(document.body, "data-link", shown);
    write(byId("link"), WORDS[shown]);
    // Kept while it is tried again: else it would come and go with each attempt.
    reveal(byId("lost"), isOld || link === Link.LOST || (link === Link.CONNECTING && this.#wasLost));
    reveal(byId("retry"), link === Link.LOST);
    const wait = duration(Math.ceil((retryAt - now) / 1000));
    const next = link === Link.LOST ? `Trying again in ${wait}.` : "Trying again.";
    write(byId("lost-text"), isOld ? age : `${sentence(reason)}${age}${next}`);
    this.#tell(link);
  }

  #tell(link) {
    if (link === Link.LOST && !this.#wasLost) this.#wasLost = true;
    if (link === Link.LIVE && this.#wasLost) {
      this.#wasLost = false;
      announce("Connected again.");
    }
  }
}

const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}. ` : "");
