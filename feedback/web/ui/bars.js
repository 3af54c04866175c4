/** Bar charts of scores, categories or ranges of numbers. Each bar links to its feedback. */

import { linkTo } from "./address.js";
import { h, s } from "./element.js";
import { isStars } from "./figures.js";
import { count, number, percent } from "./format.js";

const WIDTH = 200;
const MOST_ROWS = 11; // beyond, the buckets are columns side by side
const THUMBS = {
  thumbs: { "-1": "Thumbs down", 0: "Thumbs down", 1: "Thumbs up" },
  reversed_thumbs: { "-1": "Not disliked", 0: "Not disliked", 1: "Disliked" },
};

/** The distribution as rows of label, bar, count and share. */
export function bars(distribution, filters) {
  const total = distribution.buckets.reduce((sum, one) => sum + one.count, 0);
  const most = Math.max(1, ...distribution.buckets.map((one) => one.count));
  if (distribution.buckets.length > MOST_ROWS && distribution.kind !== "category" && distribution.kind !== "text") return histogram(distribution, filters, most);
  const shown = distribution.kind === "rating" ? distribution.buckets.toReversed() : distribution.buckets;
  return h("ul", { class: "bars" }, shown.map((one) => row(one, distribution, filters, total, most)));
}

/** The buckets of numbers as columns, with the ends of the axis below. */
function histogram(distribution, filters, most) {
  const column = (bucket) => {
    const label = `${labelOf(bucket, distribution)}: ${count(bucket.count)}`;
    const height = bucket.count ? Math.max(2, (bucket.count / most) * 100) : 0;
    const drawn = s("svg", { viewBox: "0 0 10 100", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { x: 0, width: 10, y: 100 - height, height, class: "fill" }));
    if (!bucket.count) return h("li", { title: label }, drawn);
    return h("li", null, linkTo({ ...filters, ...bounds(bucket, distribution), view: "feedback" }, { title: label, "aria-label": label }, drawn));
  };
  return [
    h("ul", { class: "histogram" }, distribution.buckets.map(column)),
    h("p", { class: "ends", "aria-hidden": "true" }, h("span", null, number(distribution.buckets[0].low)), h("span", null, number(distribution.buckets.at(-1).high))),
  ];
}

function row(bucket, distribution, filters, total, most) {
  const label = labelOf(bucket, distribution);
  const mood = bucket.is_positive === null ? "" : bucket.is_positive ? "good" : "bad";
  const parts = [
    h("span", { class: "label", dir: "auto" }, label),
    bar(bucket.count / most, mood),
    h("span", { class: "times" }, `${count(bucket.count)} `, h("small", null, `(${percent(total ? bucket.count / total : 0)})`)),
  ];
  if (!bucket.count || bucket.low === null) return h("li", null, h("span", { class: "bar-row" }, parts));
  return h("li", null, linkTo({ ...filters, key: bucket.key ?? filters.key, ...bounds(bucket, distribution), view: "feedback" }, { class: "bar-row", title: "Show this feedback" }, parts));
}

/** The score filter of a bar. Bars of numbers exclude their upper end, so the filter ends just below it. */
function bounds({ low, high }, { buckets }) {
  const isLast = buckets.at(-1).high === high;
  return { min_score: low, max_score: low !== high && !isLast ? before(high) : high };
}

const before = (value) => value - Math.abs(value || 1) * 1e-12;

function labelOf(bucket, distribution) {
  if (bucket.label) return bucket.label;
  const thumbs = THUMBS[distribution.kind];
  if (thumbs) return bucket.is_positive === null ? "Neutral" : thumbs[bucket.low] ?? number(bucket.low);
  if (isStars(distribution)) return "★".repeat(bucket.low);
  return bucket.low === bucket.high ? number(bucket.low) : `${number(bucket.low)} to ${number(bucket.high)}`;
}

function bar(share, mood) {
  return s("svg", { class: `bar-line ${mood}`, viewBox: `0 0 ${WIDTH} 10`, preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { x: 0, y: 0, width: WIDTH, height: 10, class: "rail", rx: 3 }),
    s("rect", { x: 0, y: 0, width: Math.max(share > 0 ? 3 : 0, share * WIDTH), height: 10, class: "fill", rx: 3 }));
}
