/** A card for each feedback key and source, with its figures over time and its distribution. */

import { go, linkTo } from "./address.js";
import { read } from "./api.js";
import { bars } from "./bars.js";
import { draw, spoken } from "./chart.js";
import { h } from "./element.js";
import { KINDS, aboutScores, figureOf, isStars, nameOfFigure, shownFigure, shownInterval, votesOf } from "./figures.js";
import { count, number, percent, period, range, several, span } from "./format.js";
import { failed } from "./notice.js";
import { after, isUnfinished, seriesOf } from "./series.js";

const FIRST = 6;
const TOP = 4;
const FEWEST = 2; // minimum points of a chart
const SOURCES = { api: "API", app: "app", model: "model" };

/**
 * Draw the cards, those with the most feedback first. `totals` are the statistics by source, `periods` those by source
 * and `size`; `filters` is the current filters' query, `extras` loads response rates and reasons.
 */
export function drawKeys(box, { totals, periods, size, filters, extras }) {
  const byCard = Map.groupBy(periods, nameOf);
  const sources = Map.groupBy(totals, (one) => one.key);
  const all = totals.filter((one) => one.count).toSorted((a, b) => b.count - a.count).map((total) => ({
    total, size, filters,
    loaded: extras,
    series: seriesOf(byCard.get(nameOf(total)) ?? [], size),
    isApart: sources.get(total.key).length > 1,
  }));
  box.replaceChildren(...all.slice(0, FIRST).map(card));
  if (all.length > FIRST) box.append(more(all.slice(FIRST)));
}

const nameOf = (one) => JSON.stringify([one.key, one.source]);

function more(rest) {
  const button = h("button", { type: "button", class: "quiet", onclick: () => button.replaceWith(...rest.map(card)) }, `Show ${several(rest.length, "more key")}`);
  return button;
}

function card(one) {
  const { total, isApart } = one;
  const distribution = h("div", { class: "distribution" });
  const extras = h("div", { class: "extras" });
  loadDistribution(distribution, extras, one);
  drawExtras(extras, one);
  return h("article", { class: "card key", "data-key": total.key },
    h("header", { class: "key-head" },
      h("h3", { dir: "auto" }, linkTo({ ...mine(one), view: "feedback" }, { title: "Show this feedback" }, total.title ?? total.key)),
      h("span", { class: "tag" }, KINDS[total.kind], total.is_kind_inferred && h("span", { class: "inferred" }, " inferred")),
      isApart && h("span", { class: "tag source" }, `from ${SOURCES[total.source] ?? total.source}`)),
    total.title && h("p", { class: "meta" }, total.key),
    headline(one), extras, charted(one), distribution, h("details", { class: "table" }, h("summary", null, "Figures as a table"), table(one)));
}

/** Add response rate and top reasons once they are loaded; a card is complete without them. */
async function drawExtras(box, one) {
  const { total } = one;
  const [rates, reasons] = await one.loaded.catch(() => [[], []]);
  const rate = total.source === "model" ? null : rates.find((each) => each.key === total.key);
  const top = reasons.filter((each) => each.key === total.key).slice(0, TOP);
  if (rate) box.append(h("p", { class: "meta" }, `Response rate ${percent(rate.rate)} (${range(rate.interval)}): feedback through ${count(rate.with_feedback)} of ${several(rate.minted, "URL")} minted`));
  if (top.length) box.append(h("p", { class: "chips" }, h("span", { class: "meta" }, "Top reasons"), top.map((each) => linkTo({ ...mine(one), reason: each.reason, view: "feedback" }, { class: "reason", dir: "auto" }, `${each.reason} ${count(each.count)}`))));
}

/** The filters of a card's feedback. */
const mine = ({ total, isApart }) => ({ key: total.key, ...(isApart ? { source: total.source } : {}) });

function headline({ total }) {
  const figure = figureOf(total);
  if (figure && total.kind === "number") return headlineOfNumber(total, figure);
  if (!figure) return h("p", { class: "headline" }, h("strong", null, count(total.count)), h("span", null, withoutFigure(total)));
  return [
    h("p", { class: "headline" },
      h("strong", null, shownFigure(total, figure.value), isStars(total) && h("span", { class: "star", "aria-hidden": "true" }, " ★")),
      h("span", null, ` ${nameOfFigure(total)}`)),
    h("p", { class: "meta" }, figure.interval ? h("span", { class: "sure" }, `95 % confidence interval ${shownInterval(total, figure.interval)}`) : "Too few scores for a confidence interval", ` · ${aboutScores(total)}`),
  ];
}

/** The median, which the distribution brings, and the mean with its interval. */
function headlineOfNumber(total, figure) {
  const interval = figure.interval ? `, 95 % confidence interval ${shownInterval(total, figure.interval)}` : "";
  return [
    h("p", { class: "headline" }, h("strong", { class: "median" }, "…"), h("span", null, " median")),
    h("p", { class: "meta" }, `Mean ${number(figure.value)}${interval} · ${aboutScores(total)}`),
  ];
}

function withoutFigure(total) {
  const noun = total.count === 1 ? "piece of feedback" : "pieces of feedback";
  if (total.kind === "text") return ` ${noun} without a score`;
  return total.scores || total.kind === "category" ? ` ${noun}; no category is marked as good or bad` : ` ${noun}`;
}

function charted(one) {
  const { total, series, size } = one;
  const drawable = series.filter((each) => figureOf(each, total.kind));
  if (drawable.length < FEWEST) return drawable.length && total.count ? h("p", { class: "meta few" }, onePeriod(drawable[0], size)) : null;
  const readout = h("p", { class: "readout", "aria-hidden": "true" });
  const box = h("div", { class: "chart", role: "img", "aria-label": summary(total, drawable, size) });
  draw(box, one, (each) => {
    readout.textContent = each ? spoken(each, total, size) : "";
  }, (each) => go({ ...mine(one), ...days(each, size), view: "feedback" }));
  return [total.kind === "number" && h("p", { class: "meta" }, `Mean by ${size}`), box, readout];
}

function onePeriod(one, size) {
  const name = period(one.start, size);
  const until = isUnfinished(one.start, size) ? ", not over yet" : "";
  return `All of it from one ${size}: ${name}${until} (UTC). A chart follows with the second ${size}.`;
}

function summary(total, series, size) {
  return `${total.title ?? total.key}: ${nameOfFigure(total)} over time. First ${spoken(series[0], total, size)}. Last ${spoken(series.at(-1), total, size)}. The table below has all figures.`;
}

/** The filter of a period's days. */
export function days(one, size) {
  const day = (second) => new Date(second * 1000).toISOString().slice(0, 10);
  return { days: null, since: day(one.start), until: day(after(one.start, size) - 1) };
}

async function loadDistribution(box, extras, one) {
  const { total, filters } = one;
  const query = new URLSearchParams(filters);
  query.set("key", total.key);
  query.set("source", total.source);
  try {
    const [found] = await read("feedback/distribution", query);
    if (found.is_kind_inferred) box.closest("article")?.querySelector(".inferred")?.setAttribute("title", `Inferred, since ${found.reason}. Configure the key to change it.`);
    const median = box.closest("article")?.querySelector(".median");
    if (median) median.textContent = number(found.quartiles?.median);
    if (found.quartiles) extras.append(h("p", { class: "meta" }, quartiles(found.quartiles, Boolean(median))));
    if (found.buckets.length) box.replaceChildren(...[bars(withCounterpart(found, total), mine(one))].flat());
  } catch (failure) {
    if (failure.isAboutKey || failure.name === "AbortError") return;
    box.replaceChildren(failed(failure, () => loadDistribution(box, extras, one)));
  }
}

/** The distribution with a bar for the key's counterpart in place of the thumb that the key does not have. */
function withCounterpart(found, total) {
  const pressed = found.buckets.filter((each) => each.count);
  if (!total.counterpart || pressed.length !== 1) return found;
  const [own] = pressed;
  const other = { ...own, key: total.counterpart.key, label: total.counterpart.key, count: total.counterpart.scores, is_positive: !own.is_positive };
  return { ...found, buckets: [other, { ...own, label: total.key }].toSorted((a, b) => a.is_positive - b.is_positive) };
}

function quartiles({ lowest, lower, median, upper, highest }, isHeadline) {
  return `${isHeadline ? "Middle half" : `Median ${number(median)} · middle half`} ${span({ low: lower, high: upper })} · all ${span({ low: lowest, high: highest })}`;
}

function table(one) {
  const { total, series, size } = one;
  const head = (text) => h("th", { scope: "col" }, text);
  const rows = series.toReversed().map((each) => {
    const figure = figureOf(each, total.kind);
    return h("tr", null,
      h("th", { scope: "row" }, linkTo({ ...mine(one), ...days(each, size), view: "feedback" }, {}, period(each.start, size)), isUnfinished(each.start, size) && h("small", null, " until now")),
      [count(each.count), count(votesOf(each)), shownFigure(total, figure?.value), figure ? shownInterval(total, figure.interval) : "–"].map((text) => h("td", null, text)));
  });
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Figures of ${total.key}` },
    h("table", null, h("caption", { class: "unseen" }, `${total.key} by ${size}`),
      h("thead", null, h("tr", null, [size[0].toUpperCase() + size.slice(1), "Feedback", "Scores", capital(nameOfFigure(total).split(" ")[0]), "95 % interval"].map(head))),
      h("tbody", null, rows)));
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
