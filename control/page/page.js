/** Page: takes what the feed tells, and has it shown, all of one message at once. */

import { Alerts, titleOf } from "./alerts.js";
import { announce } from "./announcer.js";
import { Connection } from "./connection.js";
import { byId, mark, reveal, write } from "./element.js";
import { Events } from "./events.js";
import { Feed, Link } from "./feed.js";
import { clock } from "./figure.js";
import { Frames } from "./frames.js";
import { askHealth } from "./health.js";
import { Host } from "./host.js";
import { Memory } from "./memory.js";
import { Panels } from "./panels.js";
import { Queue } from "./queue.js";
import { Services } from "./services.js";
import { Stages } from "./stages.js";
import { State } from "./state.js";
import { startTheme } from "./theme.js";
import { TokenForm, readToken } from "./token.js";

const TICK_MS = 500;
const HEALTH_INTERVAL_MS = 3000;
/** After news: time for more of it to come, so that a burst asks once. */
const HEALTH_SOON_MS = 100;

class Page {
  #told = { health: null, metrics: null, services: null, memory: null };
  #heardAt = null;
  #version = null;
  #isPaused = false;
  #isDrawing = false;
  #healthTimer = 0;
  #feed = new Feed(readToken, this);
  #connection = new Connection(this.#feed);
  #token = new TokenForm(() => this.#feed.open());
  #state = new State();
  #alerts = new Alerts();
  #events = new Events();
  #panels = new Panels();
  /** Each shows a part of the metrics. */
  #views = [this.#panels, new Frames(), new Stages(), new Queue(), new Host()];
  #services = new Services();
  #memory = new Memory();

  start() {
    byId("pause").addEventListener("click", () => this.#pause());
    document.addEventListener("keydown", (event) => this.#press(event));
    // Who looks again, or is on line again, does not wait for the next attempt.
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#retry());
    addEventListener("online", () => this.#retry());
    setInterval(() => this.#tick(), TICK_MS);
    this.#feed.open();
  }

  /** Of the feed: the connection is another than before. */
  onLink() {
    const { link } = this.#feed;
    if (link === Link.REFUSED) this.#token.ask();
    if (link === Link.LIVE) {
      this.#token.hide();
      this.#askSoon(HEALTH_INTERVAL_MS);
    }
    this.#draw();
  }

  /** Of the feed, and of each answer after that: how the daemon is. */
  onHealth(health) {
    this.#told.health = health;
    this.#version ??= health.version;
    reveal(byId("renewed"), health.version !== this.#version);
    this.#draw();
  }

  /** Of the feed: a message. */
  onMessage({ type, channel, snapshot, data, message }) {
    if (type === "metrics") this.#takeMetrics(data);
    else if (type === "services") this.#takeServices(data);
    else if (type === "memory") this.#told.memory = data;
    else if (type === "alerts") this.#tellAlerts(this.#alerts.add(data));
    else if (type === "events") this.#takeEvents([data]);
    else if (type === "subscribed" && channel === "events") this.#takeEvents(snapshot);
    else if (type === "error") console.warn(`omnishotd refused a message of this page: ${message}`);
    this.#draw();
  }

  #takeMetrics(metrics) {
    this.#heardAt = performance.now();
    this.#told.metrics = metrics;
    this.#panels.keep(metrics, this.#heardAt);
    this.#tellAlerts(this.#alerts.replace(metrics.alerts));
  }

  #takeServices(services) {
    this.#told.services = services;
    if (services.status !== this.#told.health?.status) this.#askSoon(HEALTH_SOON_MS);
  }

  #takeEvents(events) {
    if (this.#events.add(events)) this.#askSoon(HEALTH_SOON_MS);
  }

  #tellAlerts(changed) {
    if (changed.length) this.#askSoon(HEALTH_SOON_MS);
    for (const alert of changed) {
      announce(alert.state === "firing" ? `Alert: ${titleOf(alert)}. ${alert.detail}` : `Resolved: ${titleOf(alert)}.`);
    }
  }

  #askSoon(delay) {
    clearTimeout(this.#healthTimer);
    this.#healthTimer = setTimeout(() => this.#askHealth(), delay);
  }

  async #askHealth() {
    if (this.#feed.link !== Link.LIVE) return;
    const answer = await askHealth(readToken());
    if (this.#feed.link !== Link.LIVE) return;
    if (answer.kind === "refused") this.#feed.refuse();
    if (answer.kind === "told") this.onHealth(answer.health);
    this.#askSoon(HEALTH_INTERVAL_MS);
  }

  #retry() {
    if (this.#feed.link === Link.LOST) this.#feed.open();
  }

  #press(event) {
    const isTyping = event.target instanceof HTMLInputElement;
    if (event.key !== "p" || isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    this.#pause();
  }

  #pause() {
    this.#isPaused = !this.#isPaused;
    mark(byId("pause"), "aria-pressed", this.#isPaused);
    write(byId("pause"), this.#isPaused ? `Resume (paused at ${clock(new Date().toISOString())})` : "Pause");
    mark(document.body, "data-paused", this.#isPaused ? "" : null);
    announce(this.#isPaused ? "The figures stand still. State and alerts go on." : "The figures go on.");
    this.#draw();
  }

  #tick() {
    this.#feed.watch(performance.now());
    this.#draw();
  }

  /** Have all shown that is known, at the next frame of the screen; the state at once, as nobody may be looking. */
  #draw() {
    const now = performance.now();
    const absence = this.#connection.absence(this.#heardAt, now);
    this.#state.show(this.#told, this.#alerts.firing, absence);
    this.#connection.show(this.#heardAt, now);
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#show(performance.now());
    });
  }

  #show(now) {
    const { metrics, services, memory } = this.#told;
    this.#alerts.show();
    if (this.#isPaused) return;
    if (metrics) for (const view of this.#views) view.show(metrics, now);
    if (services) this.#services.show(services);
    if (memory) this.#memory.show(memory);
    this.#events.show();
  }
}

startTheme();
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const notes = ["Lines begin when the page is opened.", "The key p pauses and resumes."];
write(byId("notes"), [`Times are of this browser's zone, ${zone}.`, ...notes].join(" "));
reveal(byId("figures"), true);
new Page().start();
