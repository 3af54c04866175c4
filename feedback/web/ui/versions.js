/** Versions: how each assistant's versions do, side by side. */

import { drawComparison } from "./comparison.js";
import { h } from "./element.js";
import { count, percent, range } from "./format.js";
import { empty } from "./notice.js";
import { whisker } from "./whisker.js";

/** The table of the statistics by assistant and version, and the comparison of two. `known` has the assistants' names. */
export function drawVersions(box, statistics, known) {
  const placed = statistics.filter((one) => one.assistant_id !== null && one.scores > 0);
  if (!placed.length) {
    box.replaceChildren(empty("No versions to tell apart", "Answers about runs that an agent server beside this service ran have an assistant and a version; none of these has a score."));
    return;
  }
  const comparison = h("div", { class: "card comparison" });
  box.replaceChildren(h("div", { class: "card flush" }, table(sorted(placed, known), known)), comparison);
  drawComparison(comparison, placed, known);
}

function sorted(statistics, known) {
  const place = (one) => known.assistants.findIndex((assistant) => assistant.id === one.assistant_id);
  return statistics.toSorted((a, b) => place(a) - place(b) || a.key.localeCompare(b.key) || (b.assistant_version ?? 0) - (a.assistant_version ?? 0));
}

function table(statistics, known) {
  const groups = Map.groupBy(statistics, (one) => JSON.stringify([one.assistant_id, one.key]));
  const head = (text) => h("th", { scope: "col", class: text.toLowerCase() }, text);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Shares by assistant and version" },
    h("table", { class: "versions" }, h("caption", { class: "unseen" }, "Share of positive scores by assistant, key and version"),
      h("thead", null, h("tr", null, ["Version", "Scores", "Positive", "Interval"].map(head), h("td", null))),
      [...groups.values()].map((group) => h("tbody", null, title(group[0], known), group.map(row)))));
}

function title(one, known) {
  return h("tr", { class: "group" }, h("th", { scope: "rowgroup", colspan: 5 }, h("strong", null, known.nameOf(one.assistant_id)), ` · ${one.key}`));
}

function row(one) {
  return h("tr", null,
    h("th", { scope: "row" }, `v${one.assistant_version ?? "?"}`),
    h("td", { class: "scores" }, count(one.scores)), h("td", null, h("strong", null, percent(one.share))), h("td", null, range(one.interval)),
    h("td", { class: "drawn" }, whisker(one.interval, one.share)));
}
