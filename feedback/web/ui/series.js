/** Time series of a feedback key's figures, including periods without feedback. */

const DAY = 86_400;

/** The size of a period for this number of days. */
export function sizeFor(days) {
  if (days <= 62) return "day";
  return days <= 400 ? "week" : "month";
}

/** The statistics of one feedback key in the order of time, each with the second at which its period begins. */
export function seriesOf(statistics, size) {
  return statistics.map((one) => ({ ...one, start: Date.parse(one[size]) / 1000 })).sort((a, b) => a.start - b.start);
}

/** All periods from the first to the last, including those without feedback. */
export function withGaps(series, size) {
  const found = new Map(series.map((one) => [one.start, one]));
  const filled = [];
  const last = series.at(-1)?.start ?? -1;
  for (let start = series[0]?.start ?? 0; start <= last; start = after(start, size)) {
    filled.push(found.get(start) ?? { start, count: 0, scores: 0 });
  }
  return filled;
}

/** Whether the period that begins at this second is still incomplete. */
export const isUnfinished = (start, size) => after(start, size) * 1000 > Date.now();

/** The second at which the next period begins. */
export function after(start, size) {
  if (size === "week") return start + 7 * DAY;
  if (size === "day") return start + DAY;
  const date = new Date(start * 1000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / 1000;
}
