/** Keys: a card for each, with its share of positive scores over time and the same figures as a table. */

import { draw, spoken } from "./chart.js";
import { h } from "./element.js";
import { bucket as titled, count, number, percent, range, several } from "./format.js";
import { seriesOf } from "./series.js";

const FIRST = 6;

/** The cards of the statistics by day, the most answered key first. */
export function drawKeys(box, statistics, size) {
  const all = Object.entries(Object.groupBy(statistics, (one) => one.key))
    .map(([key, own]) => seriesOf(key, own, size))
    .sort((a, b) => b.total.answers - a.total.answers);
  const cards = (some) => some.map(card);
  box.replaceChildren(...cards(all.slice(0, FIRST)));
  if (all.length > FIRST) box.append(more(box, all.slice(FIRST), cards));
}

function more(box, rest, cards) {
  const button = h("button", { type: "button", class: "quiet", onclick: () => button.replaceWith(...cards(rest)) }, `Show ${several(rest.length, "more key")}`);
  return button;
}

function card(series) {
  const { key, total, lower } = series;
  return h("article", { class: "card key" },
    h("h3", null, key),
    total.scores ? [headline(total), h("p", { class: "meta" }, about(total, lower)), charted(series)] : h("p", { class: "meta" }, `${several(total.answers, "answer")} in words only: nobody gave a score.`),
    h("details", { class: "table" }, h("summary", null, "Figures as a table"), table(series)),
  );
}

function headline(total) {
  return h("p", { class: "headline" }, h("strong", null, percent(total.share)), h("span", null, " positive, interval "), h("span", { class: "sure" }, range(total.interval)));
}

function about(total, lower) {
  const silent = total.answers - total.scores;
  return [several(total.scores, "score"), `mean ${number(total.mean)}`, lower && "lower is better", silent > 0 && `${several(silent, "answer")} without`].filter(Boolean).join(" · ");
}

function charted(series) {
  const readout = h("p", { class: "readout", "aria-hidden": "true" });
  const box = h("div", { class: "chart", role: "img", "aria-label": summary(series) });
  draw(box, series, (bucket) => {
    readout.textContent = bucket ? spoken(bucket, series.size) : "";
  });
  return [box, readout];
}

function summary({ key, buckets, size }) {
  const scored = buckets.filter((one) => one.scores);
  const [first, last] = [scored[0], scored.at(-1)];
  return `Share of positive scores of ${key} over time. First ${spoken(first, size)}. Last ${spoken(last, size)}. The table below has all figures.`;
}

const HEADS = ["Answers", "Scores", "Mean", "Positive", "Interval (95%)"];

function table({ key, buckets, size }) {
  const rows = buckets.toReversed().map((one) =>
    h("tr", null, h("th", { scope: "row" }, titled(one.start, size)), [count(one.answers), count(one.scores), number(one.mean), percent(one.share), one.scores ? range(one.interval) : "–"].map((text) => h("td", null, text))));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Figures of ${key}` },
    h("table", null, h("caption", { class: "unseen" }, `${key} by ${size}`),
      h("thead", null, h("tr", null, h("th", { scope: "col" }, size[0].toUpperCase() + size.slice(1)), HEADS.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", null, rows)));
}
