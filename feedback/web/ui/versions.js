/** Versions: the figures of each assistant's versions, side by side. */

import { linkTo } from "./address.js";
import { drawComparison } from "./comparison.js";
import { h } from "./element.js";
import { axisOf, figureOf, nameOfFigure, shownFigure, shownInterval, votesOf } from "./figures.js";
import { count } from "./format.js";
import { empty } from "./notice.js";
import { whisker } from "./whisker.js";

/** The table of the statistics by assistant and version, and the comparison of two. `known` has the assistants' names. */
export function drawVersions(box, statistics, known) {
  const placed = statistics.filter((one) => one.assistant_id !== null && votesOf(one));
  if (!placed.length) {
    box.replaceChildren(empty("No versions to compare", "Feedback on runs of an agent server beside this service has an assistant and a version. None of the feedback shown has both, with a score."));
    return;
  }
  const comparison = h("div", { class: "card comparison" });
  box.replaceChildren(h("div", { class: "card flush" }, table(sorted(placed, known), known)), comparison);
  drawComparison(comparison, placed.filter((one) => one.source !== "model" || !isApart(one, placed)), known);
}

function sorted(statistics, known) {
  const place = (one) => known.assistants.findIndex((assistant) => assistant.id === one.assistant_id);
  return statistics.toSorted((a, b) => place(a) - place(b) || a.key.localeCompare(b.key) || a.source.localeCompare(b.source) || (b.assistant_version ?? 0) - (a.assistant_version ?? 0));
}

function table(statistics, known) {
  const groups = Map.groupBy(statistics, (one) => JSON.stringify([one.assistant_id, one.key, one.source]));
  const head = ([text, name]) => h("th", { scope: "col", class: name }, text);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Figures by assistant and version" },
    h("table", { class: "versions" }, h("caption", { class: "unseen" }, "Figures by assistant, key and version"),
      h("thead", null, h("tr", null, [["Version", "version"], ["Scores", "scores"], ["Figure", "figure"], ["95 % interval", "interval"]].map(head), h("td", { class: "drawn" }))),
      [...groups.values()].map((group) => h("tbody", null, title(group[0], known, isApart(group[0], statistics)), group.map((one) => row(one, group))))));
}

/** Whether the feedback key has feedback of several sources for this assistant. */
const isApart = (one, all) => all.some((other) => other.assistant_id === one.assistant_id && other.key === one.key && other.source !== one.source);

function title(one, known, apart) {
  const name = known.nameOf(one.assistant_id);
  return h("tr", { class: "group" }, h("th", { scope: "rowgroup", colspan: 5 }, h("strong", { dir: "auto" }, name), ` · ${one.title ?? one.key}, ${nameOfFigure(one)}${apart ? `, from ${one.source}` : ""}`));
}

function row(one, group) {
  const figure = figureOf(one);
  const filters = { key: one.key, assistant: one.assistant_id, version: one.assistant_version, source: one.source, view: "feedback" };
  return h("tr", null,
    h("th", { scope: "row" }, linkTo(filters, { title: "Show this feedback" }, `v${one.assistant_version ?? "?"}`)),
    h("td", { class: "scores" }, count(votesOf(one))), h("td", { class: "figure" }, h("strong", null, shownFigure(one, figure?.value))), h("td", { class: "interval" }, figure ? shownInterval(one, figure.interval) : "–"),
    h("td", { class: "drawn" }, figure?.interval && whisker(figure.interval, figure.value, axisOf(one) ?? endsOf(group))));
}

/** The ends of an axis that contains all intervals of the group. */
function endsOf(group) {
  const intervals = group.map((one) => figureOf(one)?.interval).filter(Boolean);
  const [low, high] = [Math.min(...intervals.map((one) => one.low)), Math.max(...intervals.map((one) => one.high))];
  return low === high ? [low - 1, high + 1] : [low, high];
}
