/** Whiskers: a share with its interval on a line from 0 to 1, or around 0. Hidden from screen readers. */

import { s } from "./element.js";

const WIDTH = 200;

/** The interval as a bar, the share as a dot in it, from `from` to `to`. */
export function whisker(interval, share, [from, to] = [0, 1]) {
  const x = (value) => (((Math.min(Math.max(value, from), to) - from) / (to - from)) * (WIDTH - 12) + 6).toFixed(1);
  const middle = from < 0 ? s("line", { class: "zero", x1: x(0), x2: x(0), y1: 1, y2: 19 }) : null;
  return s("svg", { class: "whisker", viewBox: `0 0 ${WIDTH} 20`, preserveAspectRatio: "none", "aria-hidden": "true" },
    s("line", { class: "rail", x1: 6, x2: WIDTH - 6, y1: 10, y2: 10 }),
    middle,
    s("line", { class: "span", x1: x(interval.low), x2: x(interval.high), y1: 10, y2: 10 }),
    share === null ? null : s("line", { class: "dot", x1: x(share), x2: x(share), y1: 10, y2: 10 }));
}
