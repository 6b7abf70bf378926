/** A line of the last five minutes: its points are kept here, as the daemon tells present figures only. */

import { mark, write } from "./element.js";

const WINDOW_MS = 5 * 60_000;
/** The line begins as wide as this, and fills up to the window. */
const WINDOW_FIRST_MS = 60_000;
const STEP_MS = 1000;
/** A longer pause between two points is a gap, not a slope: nothing was known. */
const GAP_MS = 5000;
const WIDTH = 300;
const HEIGHT = 48;
const SVG = "http://www.w3.org/2000/svg";

export class Line {
  #points = [];
  #stroke = document.createElementNS(SVG, "path");
  #area = document.createElementNS(SVG, "path");
  #caption;
  #format;

  /** Draw into an `svg`; `format` makes a figure of the caption from a value. */
  constructor(svg, caption, format) {
    mark(svg, "viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    mark(svg, "preserveAspectRatio", "none");
    mark(this.#area, "class", "area");
    mark(this.#stroke, "class", "stroke");
    svg.append(this.#area, this.#stroke);
    this.#caption = caption;
    this.#format = format;
  }

  /** Take a value of now, in milliseconds of a clock that never goes back; null is a gap. */
  add(value, nowMs) {
    const step = Math.floor(nowMs / STEP_MS);
    if (this.#points.at(-1)?.step === step) this.#points.pop();
    this.#points.push({ step, at: nowMs, value });
    while (this.#points[0].at < nowMs - WINDOW_MS) this.#points.shift();
  }

  draw(nowMs) {
    const known = this.#points.filter((point) => point.value !== null);
    const values = known.map((point) => point.value);
    const most = Math.max(...values, 0);
    const span = Math.min(WINDOW_MS, Math.max(WINDOW_FIRST_MS, nowMs - (this.#points[0]?.at ?? nowMs)));
    const place = ({ at, value }) => {
      const x = WIDTH - ((nowMs - at) / span) * WIDTH;
      const y = HEIGHT - 1 - (most > 0 ? value / most : 0) * (HEIGHT - 3);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    };
    const runs = this.#runs().map((run) => run.map(place));
    mark(this.#stroke, "d", runs.map((run) => `M${run.join("L")}`).join(""));
    mark(this.#area, "d", runs.map(closed).join(""));
    write(this.#caption, values.length ? this.#describe(Math.min(...values), most, nowMs) : "no figures yet");
  }

  /** Neighbouring known points, without the gaps; a lone point makes a short line. */
  #runs() {
    const runs = [];
    let before = null;
    for (const point of this.#points) {
      if (point.value !== null) {
        const isNext = before && before.value !== null && point.at - before.at < GAP_MS;
        if (isNext) runs.at(-1).push(point);
        else runs.push([point]);
      }
      before = point;
    }
    return runs;
  }

  #describe(least, most, nowMs) {
    const minutes = Math.round((nowMs - this.#points[0].at) / 60_000);
    const window = minutes < 1 ? "since this page was opened" : `last ${minutes} min`;
    const [low, high] = [this.#format(least), this.#format(most)];
    if (low === high) return `${window}: ${high}`;
    // One unit is enough where both have the same.
    const [figure, unit] = low.split("\u00a0");
    return `${window}: ${high.endsWith(`\u00a0${unit}`) ? figure : low} to ${high}`;
  }
}

/** A run, down to the ground at both ends. */
const closed = (run) => `M${xOf(run[0])},${HEIGHT}L${run.join("L")}L${xOf(run.at(-1))},${HEIGHT}Z`;

const xOf = (place) => place.split(",", 1)[0];
