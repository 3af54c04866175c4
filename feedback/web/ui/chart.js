/** Charts: a key's share of positive scores over time, with the interval around it. Drawn by uPlot; a table has the same. */

import { percent, shortDay, bucket as titled } from "./format.js";
import { withGaps } from "./series.js";
import uPlot from "./uplot.js";

const HEIGHT = 168;
const WHISKERS = 14; // pixels between points, from which each has an interval of its own
const drawn = new Set();

/** Draw the series into the box; `pointed` is called with the bucket under the pointer, or with nothing. */
export function draw(box, series, pointed) {
  const buckets = withGaps(series.buckets, series.size);
  const chart = { box, buckets, size: series.size, pointed, plot: null, width: 0 };
  drawn.add(chart);
  new ResizeObserver(() => fit(chart)).observe(box);
}

/** Forget the charts that are no longer in the page, and draw the others in the colours of now. */
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
  if (chart.width) chart.plot = new uPlot(options(chart), data(chart.buckets), chart.box);
}

function data(buckets) {
  const having = (pick) => buckets.map((one) => (one.scores ? pick(one) : null));
  return [buckets.map((one) => one.start), having((one) => one.interval.high), having((one) => one.interval.low), having((one) => one.share)];
}

function options(chart) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--chart-${name}`).trim();
  return {
    width: chart.width,
    height: HEIGHT,
    padding: [10, 24, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 9 } },
    scales: { x: { time: true, range: (_, low, high) => padded(low, high) }, y: { range: [0, 1] } },
    axes: [timeAxis(colour), shareAxis(colour)],
    series: [{}, edge(), edge(), line(colour, chart.buckets)],
    bands: [{ series: [1, 2], fill: colour("band") }],
    hooks: { setCursor: [(u) => chart.pointed(chart.buckets[u.cursor.idx] ?? null)], draw: [(u) => whiskers(u, colour("whisker"))] },
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "UTC"),
  };
}

const HALF_DAY = 43_200;
const padded = (low, high) => (low === high ? [low - 3 * HALF_DAY, high + 3 * HALF_DAY] : [low - HALF_DAY, high + HALF_DAY]);
const edge = () => ({ stroke: "transparent", width: 0, points: { show: false } });

function line(colour, buckets) {
  const scarce = buckets.length <= 45;
  return { stroke: colour("line"), width: 2, points: { show: scarce, size: 6, fill: colour("line"), stroke: colour("line"), width: 0 } };
}

function axis(colour) {
  return { stroke: colour("text"), font: "12px system-ui, sans-serif", grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
}

function timeAxis(colour) {
  return { ...axis(colour), size: 26, gap: 6, grid: { show: false }, space: 64, values: (_, seconds) => seconds.map(shortDay) };
}

function shareAxis(colour) {
  return { ...axis(colour), size: 46, splits: [0, 0.25, 0.5, 0.75, 1], values: (_, shares) => shares.map((one) => (one * 4) % 2 ? "" : percent(one)) };
}

/** The interval of each point as a line through it, where there is room. */
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

/** What a bucket says, in a line. */
export function spoken(bucket, size) {
  const about = `${titled(bucket.start, size)}: `;
  if (!bucket.scores) return `${about}no scores`;
  return `${about}${percent(bucket.share)} of ${bucket.scores} (${percent(bucket.interval.low)} to ${percent(bucket.interval.high)})`;
}
