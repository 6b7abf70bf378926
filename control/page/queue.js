/** Queue: the frames that wait, by priority and by producer. */

import { bytes, compact, count } from "./figure.js";
import { byId, reveal, write } from "./element.js";
import { Table } from "./table.js";

export class Queue {
  #producers = new Table(
    byId("producers"),
    [
      { label: "Producer", kind: "text", text: (each) => each.producer },
      { label: "Frames", kind: "number", text: (each) => compact(each.frames) },
      { label: "Size", kind: "number", text: (each) => bytes(each.bytes) },
    ],
    (each) => each.producer,
  );

  show({ queue }) {
    const priorities = Object.entries(queue.by_priority).sort(([one], [other]) => other - one);
    const told = priorities.map(([priority, frames]) => `priority ${priority}: ${count(frames)}`);
    write(byId("priorities"), told.join(" · ") || "Nothing waits.");
    this.#producers.show(queue.by_producer);
    reveal(byId("producers"), queue.by_producer.length > 0);
  }
}
