/** State: the sentence at the top, the reasons by name below it, and the title of the tab. */

import { titleOf } from "./alerts.js";
import { announce } from "./announcer.js";
import { Children, Pairs, byId, element, mark, reveal, write } from "./element.js";
import { counted } from "./figure.js";
import { failing, headline } from "./headline.js";

const TITLES = { ok: "ok", degraded: "degraded", unhealthy: "unhealthy", unknown: "no connection" };

export class State {
  #state = null;
  #checks = new Pairs(byId("checks-list"));
  #reasons = new Children(
    byId("reasons"),
    () => element("li", {}, element("strong"), " ", element("span")),
    (item, { name, status, detail }) => {
      mark(item, "data-sign", status);
      write(item.firstChild, name);
      write(item.lastChild, detail);
    },
  );

  /** Show what the daemon says of itself, or `absence`, a sentence, where it says nothing. */
  show({ health, metrics, services }, firing, absence) {
    const state = absence ? "unknown" : health.status;
    const known = headline(health, metrics, services, firing.map(titleOf));
    const sentence = absence || known;
    // Alerts that fire stand below, each with its own sentence.
    const reasons = failing(health).filter(({ name }) => name !== "alerts" || firing.length === 0);
    write(byId("headline"), sentence);
    this.#reasons.show(absence ? lastKnown(health, known) : reasons, ({ name }) => name);
    this.#showChecks(absence ? null : health);
    write(byId("version"), health?.version ?? "");
    mark(document.body, "data-state", state);
    const alerts = firing.length && !absence ? `${firing.length} ${firing.length > 1 ? "alerts" : "alert"} · ` : "";
    document.title = `${alerts}${TITLES[state]} · omnishotd`;
    // The first state is news to nobody: it is what the page says when it is read.
    if (this.#state !== null && this.#state !== state) announce(sentence);
    this.#state = state;
  }

  #showChecks(health) {
    const checks = Object.entries(health?.checks ?? {});
    const passed = checks.filter(([, { status }]) => status === "ok").length;
    write(byId("checks-summary"), `${passed} of ${counted(checks.length, "check")} passed`);
    this.#checks.show(checks.map(([name, { status, detail }]) => [name, `${status}: ${detail}`]));
    reveal(byId("checks"), checks.length > 0);
  }
}

const lastKnown = (health, detail) => (health ? [{ name: "Last known", status: "unknown", detail }] : []);
