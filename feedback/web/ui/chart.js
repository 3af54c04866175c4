/** Charts of a feedback key's figure over time, with its confidence interval. uPlot draws them. */

import { axisOf, figureOf, isShare, shownFigure, shownInterval } from "./figures.js";
import { period, several, shortDay } from "./format.js";
import { isUnfinished, withGaps } from "./series.js";

const { uPlot } = window; // a classic script of the page defines it
const HEIGHT = 168;
const WHISKERS = 14; // minimum pixels between points for separate intervals
const HALF_DAY = 43_200;
const drawn = new Set();

/**
 * Draw the statistics of one feedback key into the box. `pointed` is called with the period under the pointer, or with
 * null; `chosen` with the clicked period.
 */
export function draw(box, { total, series, size }, pointed, chosen) {
  const periods = withGaps(series, size);
  const chart = { box, total, periods, size, pointed, plot: null, width: 0 };
  drawn.add(chart);
  box.addEventListener("click", () => {
    const one = chart.periods[chart.plot?.cursor.idx];
    if (one?.count) chosen(one);
  });
  new ResizeObserver(() => fit(chart)).observe(box);
}

/** Drop charts that are no longer in the page, and redraw the others in the current colours. */
export function redraw() {
  for (const chart of drawn) {
    if (!chart.box.isConnected) forget(chart);
    else plot(chart);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

function fit(chart) {
  if (!chart.box.isConnected) return forget(chart);
  const width = Math.floor(chart.box.clientWidth);
  if (width === 0 || width === chart.width) return undefined;
  chart.width = width;
  return chart.plot ? chart.plot.setSize({ width, height: HEIGHT }) : plot(chart);
}

function forget(chart) {
  chart.plot?.destroy();
  drawn.delete(chart);
}

function plot(chart) {
  chart.plot?.destroy();
  if (chart.width) chart.plot = new uPlot(options(chart), data(chart), chart.box);
}

/** The periods, the interval's ends, the figures of complete periods, and the last two if one is incomplete. */
function data({ periods, size }) {
  const figures = periods.map((one) => figureOf(one));
  const last = periods.length - 1;
  const goesOn = last >= 0 && isUnfinished(periods[last].start, size);
  const before = figures.findLastIndex((one, at) => at < last && one);
  return [
    periods.map((one) => one.start),
    figures.map((one) => one?.interval?.high ?? null),
    figures.map((one) => one?.interval?.low ?? null),
    figures.map((one, at) => (one && !(goesOn && at === last) ? one.value : null)),
    figures.map((one, at) => (one && goesOn && (at === last || at === before) ? one.value : null)),
  ];
}

function options(chart) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--chart-${name}`).trim();
  const ends = axisOf(chart.total);
  const lowest = Math.min(...chart.periods.map((one) => figureOf(one)?.value ?? 0)); // no axis below 0 for means above it
  return {
    width: chart.width,
    height: HEIGHT,
    padding: [10, 24, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 9 } },
    scales: { x: { time: true, range: (_, low, high) => padded(low, high) }, y: { range: ends ?? ((_, low, high) => around(lowest < 0 ? low : Math.max(low, 0), high)) } },
    axes: [timeAxis(colour), figureAxis(colour, chart.total)],
    series: [{}, edge(), edge(), line(colour, chart.periods), unfinished(colour)],
    bands: [{ series: [1, 2], fill: colour("band") }],
    hooks: { setCursor: [(u) => chart.pointed(chart.periods[u.cursor.idx] ?? null)], draw: [(u) => whiskers(u, colour("whisker"))] },
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "UTC"),
  };
}

const padded = (low, high) => [low - HALF_DAY, high + HALF_DAY];
const around = (low, high) => (low === high ? [low - 1, high + 1] : [low - (high - low) / 10, high + (high - low) / 10]);
const edge = () => ({ stroke: "transparent", width: 0, points: { show: false } });

function line(colour, periods) {
  const scarce = periods.length <= 45;
  return { stroke: colour("line"), width: 2, spanGaps: false, points: { show: scarce, size: 6, fill: colour("line"), stroke: colour("line"), width: 0 } };
}

/** Draw the current period: a dashed line to a hollow point. */
function unfinished(colour) {
  const last = (u, index) => (u.data[index].findLastIndex((one) => one !== null) < 0 ? [] : [u.data[index].findLastIndex((one) => one !== null)]);
  return { stroke: colour("line"), width: 2, dash: [4, 4], spanGaps: true, points: { show: true, size: 8, fill: colour("hollow"), stroke: colour("line"), width: 2, filter: last } };
}

function axis(colour) {
  return { stroke: colour("text"), font: "12px system-ui, sans-serif", grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
}

/** Label each day once: for a few days uPlot would label hours. */
function timeAxis(colour) {
  const DAYS = [1, 2, 3, 5, 7, 14, 30, 61, 91, 182, 365].map((days) => days * 86_400);
  const splits = (u, _, low, high, step) => {
    const size = Math.max(86_400, step);
    const first = Math.ceil(low / 86_400) * 86_400;
    return Array.from({ length: Math.max(0, Math.floor((high - first) / size) + 1) }, (_one, at) => first + at * size);
  };
  return { ...axis(colour), size: 26, gap: 6, grid: { show: false }, space: 64, incrs: DAYS, splits, values: (_, seconds) => seconds.map(shortDay) };
}

function figureAxis(colour, total) {
  const axisWidth = (_, labels) => Math.max(46, 12 + 7 * Math.max(...(labels ?? []).map((one) => one.length)));
  const shown = { ...axis(colour), size: axisWidth, values: (_, values) => values.map((one) => shownFigure(total, one)) };
  if (!isShare(total)) return shown;
  return { ...shown, splits: [0, 0.25, 0.5, 0.75, 1], values: (_, shares) => shares.map((one) => ((one * 4) % 2 ? "" : shownFigure(total, one))) };
}

/** Draw the interval of each point as a line through it, if there is space. */
function whiskers(u, colour) {
  const [starts, highs, lows] = u.data;
  if (u.bbox.width / devicePixelRatio / starts.length < WHISKERS) return;
  u.ctx.save();
  u.ctx.strokeStyle = colour;
  u.ctx.lineWidth = devicePixelRatio * 1.5;
  starts.forEach((start, i) => highs[i] !== null && upright(u, start, lows[i], highs[i]));
  u.ctx.restore();
}

function upright(u, start, low, high) {
  const x = u.valToPos(start, "x", true);
  u.ctx.beginPath();
  u.ctx.moveTo(x, u.valToPos(low, "y", true));
  u.ctx.lineTo(x, u.valToPos(high, "y", true));
  u.ctx.stroke();
}

/** A period's figures in one line. */
export function spoken(one, total, size) {
  const about = `${period(one.start, size)}${isUnfinished(one.start, size) ? " (until now)" : ""}: `;
  const figure = figureOf(one, total.kind);
  if (!figure) return `${about}${one.count ? several(one.count, "piece", "pieces") + " of feedback" : "no feedback"}`;
  const interval = figure.interval ? ` (${shownInterval(total, figure.interval)})` : "";
  return `${about}${shownFigure(total, figure.value)} of ${several(one.scores, "score")}${interval}`;
}
