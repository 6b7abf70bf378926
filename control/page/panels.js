/** Panels: throughput, latency and queue, each a figure and its line of the last five minutes. */

import { bytes, count, milliseconds, rate, share } from "./figure.js";
import { byId, write } from "./element.js";
import { Line } from "./line.js";

export class Panels {
  #throughput = line("throughput", (value) => `${rate(value)}\u00a0frames/s`);
  #latency = line("latency", milliseconds);
  #queue = line("queue", (value) => `${count(value)}\u00a0frames`);

  /** Take the figures of now, though they may not be shown at once. */
  keep(metrics, nowMs) {
    this.#throughput.add(metrics.throughput_fps, nowMs);
    this.#latency.add(metrics.recent_latency_ms.p95, nowMs);
    this.#queue.add(metrics.frames.queued, nowMs);
  }

  show(metrics, nowMs) {
    const { recent_latency_ms: recent, latency_ms: whole, queue } = metrics;
    write(byId("throughput"), rate(metrics.throughput_fps));
    write(byId("throughput-more"), `${share(metrics.error_rate)} ended with an error`);
    const [value, unit] = milliseconds(recent.p95).split("\u00a0");
    write(byId("latency"), value);
    write(byId("latency-unit"), unit ?? "ms");
    const recently = `p50 ${milliseconds(recent.p50)} · p99 ${milliseconds(recent.p99)}`;
    write(byId("latency-more"), `${recently} · ${milliseconds(whole.p95)} since the start`);
    write(byId("queue"), count(metrics.frames.queued));
    write(byId("queue-unit"), `of ${count(queue.frames_max)} frames`);
    const waited = `p95 wait ${milliseconds(queue.wait_ms.p95)} since the start`;
    write(byId("queue-more"), `${bytes(metrics.frames.queued_bytes)} of ${bytes(queue.bytes_max)} · ${waited}`);
    for (const each of [this.#throughput, this.#latency, this.#queue]) each.draw(nowMs);
  }
}

const line = (name, format) => new Line(byId(`${name}-line`), byId(`${name}-range`), format);
