/** Memory: the verdict in words, what to do about it, and who holds how much. */

import { bytes, compact, duration, share } from "./figure.js";
import { Sentences, byId, mark, reveal, write } from "./element.js";
import { Table } from "./table.js";

/** A line that explains less than this of what was measured is no trend worth a figure. */
const CONFIDENT = 0.5;
const VERDICTS = {
  stable: "Stable",
  growing: "Growing",
  pressure: "Hardly any left",
};

export class Memory {
  #advice = new Sentences(byId("recommendations"));
  #processes = new Table(
    byId("processes"),
    [
      { label: "Process", text: ({ service }) => service },
      { label: "USS", kind: "number", text: ({ uss_bytes }) => bytes(uss_bytes) },
      { label: "PSS", kind: "number", text: ({ pss_bytes }) => bytes(pss_bytes) },
      { label: "Heap in use", kind: "number", text: ({ heap_used_bytes }) => bytes(heap_used_bytes) },
      { label: "Heap kept", kind: "number", text: ({ heap_kept_bytes }) => bytes(heap_kept_bytes) },
      { label: "Trend", kind: "number", text: ({ trend }) => slope(trend) },
      { label: "Verdict", text: verdictOf, sign: ({ verdict }) => verdict },
    ],
    ({ service }) => service,
  );
  #owners = new Table(
    byId("owners"),
    [
      { label: "Held by", kind: "text", text: ({ owner }) => owner },
      { label: "Size", kind: "number", text: ({ bytes: held }) => bytes(held), share: (owner) => owner.share },
      { label: "Frames", kind: "number", text: ({ frames }) => compact(frames) },
      { label: "Answered", kind: "number", text: ({ abandoned }) => compact(abandoned) },
    ],
    ({ owner }) => owner,
  );

  show(analysis) {
    const { verdict, total, trend } = analysis;
    mark(byId("memory-verdict"), "data-sign", verdict);
    const said = `${VERDICTS[verdict] ?? verdict}. ${bytes(total.pss_bytes)} in all.`;
    write(byId("memory-verdict"), verdict === "stable" ? said : `${said} ${course(trend)}`);
    this.#advice.show(analysis.recommendations);
    this.#processes.show(analysis.processes);
    this.#showArena(analysis.arena);
  }

  #showArena(arena) {
    reveal(byId("owners"), Boolean(arena?.owners.length));
    const owners = arena?.owners ?? [];
    this.#owners.show(owners.map((owner) => ({ ...owner, share: owner.bytes / arena.total_bytes })));
    if (!arena) {
      write(byId("arena-more"), "Not known yet.");
      return;
    }
    const used = `${bytes(arena.used_bytes)} of ${bytes(arena.total_bytes)} in use`;
    const most = `at most ${bytes(arena.high_water_bytes)} so far`;
    write(byId("arena-more"), `${used}, ${most}; the largest free piece has ${bytes(arena.largest_free_bytes)}.`);
  }
}

const verdictOf = ({ verdict }) => VERDICTS[verdict]?.toLowerCase() ?? verdict;

function course(trend) {
  if (!trend || trend.confidence < CONFIDENT) return "";
  return `${slope(trend)} over ${duration(trend.window_s)}, with a confidence of ${share(trend.confidence)}.`;
}

function slope(trend) {
  if (!trend) return "";
  if (trend.confidence < CONFIDENT) return "none";
  const perMinute = trend.slope_bytes_per_minute;
  return `${perMinute > 0 ? "+" : ""}${bytes(Math.round(perMinute))}/min`;
}
