/**
 * Feed: the WebSocket over which all figures come, opened again whenever it is lost, later each time.
 *
 * It knows channels and connections, and nothing of what is told in them.
 */

import { askHealth } from "./health.js";

/** What the connection is. Those who show it go by these words. */
export const Link = Object.freeze({ CONNECTING: "connecting", LIVE: "live", LOST: "lost", REFUSED: "refused" });

const CHANNELS = [
  { channel: "metrics", interval_ms: 500 },
  { channel: "services", interval_ms: 1000 },
  { channel: "memory", interval_ms: 2000 },
  { channel: "alerts" },
  { channel: "events" },
];
const RETRY_FIRST_MS = 500;
const RETRY_LAST_MS = 10_000;
/** Metrics come twice a second: so much silence means that the other end is gone, though nobody said so. */
const SILENCE_MS = 10_000;
const TOO_SLOW = 1013;

export class Feed {
  #readToken;
  #listener;
  #socket = null;
  #attempts = 0;
  #heardAt = 0;
  #timer = 0;
  link = Link.CONNECTING;
  /** Why the connection was lost. */
  reason = "";
  /** When it is tried again, on the clock of `performance.now()`. */
  retryAt = 0;

  /** The listener's `onLink()`, `onHealth(health)` and `onMessage(message)` are called. */
  constructor(readToken, listener) {
    this.#readToken = readToken;
    this.#listener = listener;
  }

  /** Connect now, unless it is connected or about to be. */
  async open() {
    if (this.#socket || this.link === Link.LIVE) return;
    clearTimeout(this.#timer);
    this.#change(Link.CONNECTING);
    const token = this.#readToken();
    const answer = await askHealth(token);
    if (this.#socket || this.link !== Link.CONNECTING) return;
    if (answer.kind === "refused") this.#change(Link.REFUSED);
    else if (answer.kind === "unreachable") this.#lose(answer.reason);
    else {
      this.#listener.onHealth(answer.health);
      this.#connect(token);
    }
  }

  /** The daemon does not know the token any more. */
  refuse() {
    this.#drop();
    this.#change(Link.REFUSED);
  }

  /** Give up a connection that is silent; to be called now and then. */
  watch(now) {
    if (this.#socket && now - this.#heardAt > SILENCE_MS) this.#lose("the daemon is silent");
  }

  #connect(token) {
    const url = new URL("ws", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, token ? ["omnishotd", `bearer.${token}`] : ["omnishotd"]);
    this.#socket = socket;
    this.#heardAt = performance.now();
    let isOpen = false;
    socket.addEventListener("open", () => {
      isOpen = true;
      this.#subscribe(socket);
    });
    socket.addEventListener("message", (event) => this.#hear(socket, event));
    socket.addEventListener("close", (event) => {
      if (socket !== this.#socket) return;
      if (event.code === TOO_SLOW) this.#lose("this browser was too slow");
      else this.#lose(isOpen ? "the daemon closed the connection" : "the daemon refused the feed");
    });
  }

  #subscribe(socket) {
    for (const subscription of CHANNELS) socket.send(JSON.stringify({ type: "subscribe", ...subscription }));
  }

  #hear(socket, event) {
    if (socket !== this.#socket) return;
    this.#heardAt = performance.now();
    this.#attempts = 0;
    if (this.link !== Link.LIVE) this.#change(Link.LIVE);
    this.#listener.onMessage(JSON.parse(event.data));
  }

  #lose(reason) {
    this.#drop();
    const delay = Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    // By chance: after a restart of the daemon not all pages come at the same moment.
    const wait = delay * (0.5 + Math.random() / 2);
    this.reason = reason;
    this.retryAt = performance.now() + wait;
    this.#timer = setTimeout(() => this.open(), wait);
    this.#change(Link.LOST);
  }

  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #change(link) {
    this.link = link;
    this.#listener.onLink();
  }
}
