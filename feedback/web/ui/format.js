/** Formats: numbers, shares and times as people read them. Days are UTC, as the service counts them. */

const WHOLE = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const DAY_AND_YEAR = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const MONTH = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]];

/** 12,345 */
export const count = (number) => WHOLE.format(number);

/** 0.83, 4.5 */
export const number = (value) => (value === null ? "–" : SHORT.format(value));

/** 83%, and 99.6% near the ends, where whole percents would say 100. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const near = (share > 0.99 && share < 1) || (share > 0 && share < 0.01);
  return `${(share * 100).toFixed(near ? 1 : 0)}%`;
}

/** 79–86% */
export function range(interval) {
  const [low, high] = [percent(interval.low), percent(interval.high)];
  return low === high ? low : `${low.slice(0, -1)}–${high}`;
}

/** “1 answer”, “2 answers” */
export const several = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

/** The bucket that begins at this second: 12 Nov, week of 9 Nov, Nov 2026. */
export function bucket(second, size) {
  const date = new Date(second * 1000);
  if (size === "month") return MONTH.format(date);
  return size === "week" ? `week of ${DAY.format(date)}` : DAY_AND_YEAR.format(date);
}

/** 12 Nov */
export const shortDay = (second) => DAY.format(new Date(second * 1000));

/** When: how long ago within a week, else the day. */
export function when(text) {
  const past = new Date(text) - Date.now();
  if (past < -7 * STEPS[0][1]) return DAY_AND_YEAR.format(new Date(text));
  const [unit, length] = STEPS.find(([, length]) => Math.abs(past) >= length) ?? ["minute", 60_000];
  return AGO.format(Math.round(past / length), unit);
}

/** 23 Nov 2026, 14:05 */
export const moment = (text) => MOMENT.format(new Date(text));
