/** Series: a key's days put together to buckets that a chart of the whole range can show. */

import { wilson } from "./wilson.js";

const DAY = 86_400;
const MONDAY = 4 * DAY; // 1970-01-05 was one

/** The statistics of one key as a series: when each bucket begins, what was said in it, and all of it together. */
export function seriesOf(key, statistics, size) {
  const buckets = new Map();
  const total = { answers: 0, scores: 0, positives: 0, sum: 0 };
  for (const one of statistics) {
    const start = startOf(Date.parse(one.day) / 1000, size);
    if (!buckets.has(start)) buckets.set(start, { start, answers: 0, scores: 0, positives: 0, sum: 0 });
    for (const sum of [buckets.get(start), total]) add(sum, one);
  }
  const lower = statistics.some((one) => one.is_lower_score_better);
  return { key, size, lower, total: told(total), buckets: [...buckets.values()].sort((a, b) => a.start - b.start).map(told) };
}

/** The size of a bucket for so many days. */
export function sizeFor(days) {
  if (days <= 62) return "day";
  return days <= 400 ? "week" : "month";
}

/** All buckets from the first to the last, those without an answer too. */
export function withGaps(buckets, size) {
  const found = new Map(buckets.map((one) => [one.start, one]));
  const filled = [];
  const last = buckets.at(-1)?.start ?? -1;
  for (let start = buckets[0]?.start ?? 0; start <= last; start = after(start, size)) {
    filled.push(found.get(start) ?? told({ start, answers: 0, scores: 0, positives: 0, sum: 0 }));
  }
  return filled;
}

function add(sum, one) {
  sum.answers += one.answers;
  sum.scores += one.scores;
  sum.positives += one.positives;
  sum.sum += (one.mean ?? 0) * one.scores;
}

function told(sum) {
  const { scores, positives } = sum;
  const share = scores ? positives / scores : null;
  return { ...sum, share, mean: scores ? sum.sum / scores : null, interval: wilson(positives, scores) };
}

function startOf(second, size) {
  if (size === "week") return Math.floor((second - MONDAY) / (7 * DAY)) * 7 * DAY + MONDAY;
  if (size === "month") return monthOf(second, 0);
  return second;
}

function after(second, size) {
  if (size === "month") return monthOf(second, 1);
  return second + (size === "week" ? 7 * DAY : DAY);
}

function monthOf(second, ahead) {
  const date = new Date(second * 1000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead, 1) / 1000;
}
