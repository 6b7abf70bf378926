/** Stages: load and latency of each, and of frames on the whole, in the last ten seconds. */

import { compact, milliseconds, share } from "./figure.js";
import { byId } from "./element.js";
import { Table } from "./table.js";

const latency = (quantile) => (stage) => milliseconds(stage.recent_latency_ms[quantile]);

export class Stages {
  #table = new Table(
    byId("stages"),
    [
      { label: "Stage", text: (stage) => stage.name },
      { label: "Busy", kind: "number", text: (stage) => stage.load, share: (stage) => stage.utilization },
      { label: "p50", kind: "number", text: latency("p50") },
      { label: "p95", kind: "number", text: latency("p95") },
      { label: "p99", kind: "number", text: latency("p99") },
      { label: "Done", kind: "number", text: (stage) => compact(stage.completed) },
      { label: "Failed", kind: "number", text: (stage) => compact(stage.failed) },
    ],
    (stage) => stage.name,
  );

  show({ stages, frames, recent_latency_ms }) {
    const each = Object.entries(stages).map(([name, stage]) => ({ name, load: load(stage), ...stage }));
    const whole = { ...frames, name: "whole frame", load: "", utilization: null, recent_latency_ms };
    this.#table.show([...each, whole]);
  }
}

const load = ({ workers, busy, utilization }) => `${busy}/${workers}, ${share(utilization)}`;
