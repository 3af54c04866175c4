/** Comparison of two versions of an assistant for a feedback key: better, worse or not significantly different. */

import { apiFilters, show, urlParameters } from "./address.js";
import { read } from "./api.js";
import { h } from "./element.js";
import { axisOf, shownFigure, shownInterval, votesOf } from "./figures.js";
import { points, several, signed } from "./format.js";
import { failed } from "./notice.js";
import { whisker } from "./whisker.js";

/** The choice of two versions, which the URL stores, and the difference of their feedback. */
export function drawComparison(box, statistics, known) {
  const chosen = choose(pairs(statistics));
  if (!chosen) {
    box.replaceChildren(h("h3", null, "Compare two versions"), h("p", { class: "meta" }, "Only one version has scores so far. With a second one, this shows whether it is better."));
    return;
  }
  const verdict = h("div", { class: "verdict", "aria-live": "polite" });
  box.replaceChildren(h("h3", null, "Compare two versions"), form(box, chosen, statistics, known), verdict);
  compare(verdict, chosen);
}

/** Pairs of assistant and feedback key with scores of several versions, most first; models separate from people. */
function pairs(statistics) {
  const found = new Map();
  for (const one of statistics) {
    const name = JSON.stringify([one.assistant_id, one.key]);
    if (!found.has(name)) found.set(name, { name, assistant: one.assistant_id, key: one.key, versions: [], scores: 0 });
    if (!found.get(name).versions.includes(one.assistant_version)) found.get(name).versions.push(one.assistant_version);
    found.get(name).scores += votesOf(one);
  }
  return [...found.values()].filter((pair) => pair.versions.length > 1).sort((a, b) => b.scores - a.scores);
}

function choose(all) {
  const given = urlParameters();
  const pair = all.find((one) => one.name === given.get("compare")) ?? all[0];
  if (!pair) return null;
  const versions = pair.versions.toSorted((a, b) => a - b);
  const version = (name, usual) => (versions.includes(Number(given.get(name))) && given.has(name) ? Number(given.get(name)) : usual);
  return { ...pair, all, versions, baseline: version("baseline", versions.at(-2)), candidate: version("candidate", versions.at(-1)) };
}

function form(box, chosen, statistics, known) {
  const change = (changes) => {
    const name = document.activeElement?.name;
    show(changes, { inPlace: true });
    drawComparison(box, statistics, known);
    box.querySelector(`[name="${name}"]`)?.focus();
  };
  const of = chosen.all.map((one) => [one.name, `${known.nameOf(one.assistant)} · ${known.titleOf(one.key)}`]);
  const versions = chosen.versions.map((one) => [String(one), `Version ${one}`]);
  return h("div", { class: "fields" },
    select("What", "compare", of, chosen.name, (value) => change({ compare: value, baseline: null, candidate: null })),
    select("Is", "candidate", versions, String(chosen.candidate), (value) => change({ candidate: value })),
    select("better than", "baseline", versions, String(chosen.baseline), (value) => change({ baseline: value })));
}

function select(label, name, options, value, chosen) {
  return h("div", { class: name === "compare" ? "field wide" : "field" }, h("label", { for: name }, label),
    h("select", { name, id: name, onchange: (event) => chosen(event.target.value) }, options.map(([one, text]) => h("option", { value: one, selected: one === value }, text))));
}

async function compare(box, chosen) {
  const query = apiFilters();
  for (const [name, value] of Object.entries({ assistant: chosen.assistant, key: chosen.key, baseline: chosen.baseline, candidate: chosen.candidate })) query.set(name, value);
  query.delete("version");
  try {
    box.replaceChildren(...verdictOf(await read("feedback/comparison", query)));
  } catch (failure) {
    box.replaceChildren(failed(failure, () => compare(box, chosen)));
  }
}

const MARKS = { better: "good", worse: "bad" };

function verdictOf(found) {
  return [
    h("p", { class: `finding ${MARKS[found.verdict] ?? ""}` }, h("strong", null, sentence(found))),
    sample(found.candidate, found), sample(found.baseline, found),
    h("p", { class: "meta" }, difference(found)),
  ];
}

function sentence({ verdict, baseline, candidate, measure }) {
  const [one, other] = [`Version ${candidate.version}`, `version ${baseline.version}`];
  if (candidate.version === baseline.version) return "This is the same version twice.";
  if (verdict === "better" || verdict === "worse") return `${one} is ${verdict} than ${other}.`;
  if (verdict === "higher" || verdict === "lower") return `The ${measure} of ${one.toLowerCase()} is ${verdict} than that of ${other}.`;
  if (verdict === "no direction") return "No category of this key is marked as good or bad.";
  return verdict === "too few scores" ? "Too few scores to compare." : "No significant difference.";
}

function sample(one, found) {
  const scored = { ...one, kind: found.kind, low: found.low, high: found.high };
  const isMean = found.measure === "mean";
  const [value, interval] = isMean ? [one.mean, one.mean_interval] : [one.share, one.interval];
  const ends = axisOf(scored) ?? endsOf([found.baseline, found.candidate]);
  const text = value === null ? "no figure" : `${shownFigure(scored, value)}${isMean ? "" : " positive"} (${shownInterval(scored, interval)}) of ${several(one.scores, "score")}`;
  return h("div", { class: "sample" }, h("span", null, `v${one.version}`), interval && ends ? whisker(interval, value, ends) : h("span"), h("span", null, one.scores ? text : "no scores"));
}

function endsOf(samples) {
  const intervals = samples.map((one) => one.mean_interval).filter(Boolean);
  if (!intervals.length) return null;
  const [low, high] = [Math.min(...intervals.map((one) => one.low)), Math.max(...intervals.map((one) => one.high))];
  return low === high ? [low - 1, high + 1] : [low, high];
}

function difference({ difference: found, interval, measure }) {
  if (found === null || !interval) return "There is no difference to measure.";
  const shownAs = measure === "share" ? points : signed;
  return `Difference ${shownAs(found)}${measure === "share" ? " percentage points" : ""}, 95 % confidence interval ${shownAs(interval.low)} to ${shownAs(interval.high)}.`;
}
