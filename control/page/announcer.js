/** Announcer: tells those who do not see the page what has changed: states only, as figures move all the time. */

import { byId, write } from "./element.js";

const GATHER_MS = 100;

let gathered = [];

/** Say it, together with what else is to be said at this moment. */
export function announce(sentence) {
  if (gathered.length === 0) setTimeout(speak, GATHER_MS);
  gathered.push(sentence);
}

function speak() {
  write(byId("announcer"), gathered.join(" "));
  gathered = [];
}
