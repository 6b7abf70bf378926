/** Host: the machine's load, and the daemon's own test pictures. */

import { count, duration, milliseconds, percent } from "./figure.js";
import { Pairs, byId } from "./element.js";

export class Host {
  #pairs = new Pairs(byId("host"));

  show({ system, canary }) {
    const took = milliseconds(canary.took_ms);
    const load = system.load_average.map((value) => value.toFixed(2)).join(", ");
    this.#pairs.show([
      ["Processors", percent(system.cpu_percent)],
      ["Memory", percent(system.memory_percent)],
      ["Load over 1, 5, 15 min", load],
      ["Test picture came back", canary.age_s === null ? "not yet" : `${duration(canary.age_s)} ago, in ${took}`],
      ["Test pictures that failed", count(canary.failed)],
    ]);
  }
}
