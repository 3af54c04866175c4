/** Formats numbers, shares and times in the reader's locale. Days are UTC, as in the service; instants are local. */

const LOCALES = [...navigator.languages];
const WHOLE = new Intl.NumberFormat(LOCALES);
const SHORT = new Intl.NumberFormat(LOCALES, { maximumFractionDigits: 2 });
const SIGNED = new Intl.NumberFormat(LOCALES, { maximumFractionDigits: 2, signDisplay: "exceptZero" });
const POINTS = new Intl.NumberFormat(LOCALES, { maximumFractionDigits: 1, signDisplay: "exceptZero" });
const PERCENT = new Intl.NumberFormat(LOCALES, { style: "percent", maximumFractionDigits: 0 });
const FINE_PERCENT = new Intl.NumberFormat(LOCALES, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const PLURAL = new Intl.PluralRules("en");
const UTC = { timeZone: "UTC" };
const DAY = new Intl.DateTimeFormat(LOCALES, { day: "numeric", month: "short", ...UTC });
const DAY_AND_YEAR = new Intl.DateTimeFormat(LOCALES, { day: "numeric", month: "short", year: "numeric", ...UTC });
const LOCAL_DAY = new Intl.DateTimeFormat(LOCALES, { day: "numeric", month: "short", year: "numeric" });
const MONTH = new Intl.DateTimeFormat(LOCALES, { month: "short", year: "numeric", ...UTC });
const MOMENT = new Intl.DateTimeFormat(LOCALES, { dateStyle: "medium", timeStyle: "short" });
const EXACT = new Intl.DateTimeFormat(LOCALES, { year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]];

/** 12,345 */
export const count = (number) => WHOLE.format(number);

/** 0.83, 4.5 */
export const number = (value) => (value === null || value === undefined ? "–" : SHORT.format(value));

/** +0.4, −1.2 */
export const signed = (value) => SIGNED.format(value);

/** A difference of shares in percentage points: +12.5 */
export const points = (share) => POINTS.format(share * 100);

/** 83%, and 99.6% near the ends, where whole percents would say 100. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const isNearEnd = (share > 0.99 && share < 1) || (share > 0 && share < 0.01);
  return (isNearEnd ? FINE_PERCENT : PERCENT).format(share);
}

/** 79–86% */
export function range(interval) {
  const [low, high] = [percent(interval.low), percent(interval.high)];
  return low === high ? low : (isNearEnd(interval) ? FINE_PERCENT : PERCENT).formatRange(interval.low, interval.high);
}

const isNearEnd = ({ low, high }) => (low > 0.99 && low < 1) || (high > 0 && high < 0.01);

/** 3.9–4.4 */
export function span(interval) {
  const [low, high] = [number(interval.low), number(interval.high)];
  return low === high ? low : SHORT.formatRange(interval.low, interval.high);
}

/** “1 score”, “2 scores”; `plural` for irregular plurals. */
export const several = (n, noun, plural = `${noun}s`) => `${count(n)} ${PLURAL.select(n) === "one" ? noun : plural}`;

/** The period that begins at this second: 12 Nov, week of 9 Nov, Nov 2026. */
export function period(second, size) {
  const date = new Date(second * 1000);
  if (size === "month") return MONTH.format(date);
  return size === "week" ? `week of ${DAY.format(date)}` : DAY_AND_YEAR.format(date);
}

/** 12 Nov */
export const shortDay = (second) => DAY.format(new Date(second * 1000));

/** A time: relative within a week, else the day. */
export function when(text) {
  const past = new Date(text) - Date.now();
  if (past < -7 * STEPS[0][1]) return LOCAL_DAY.format(new Date(text));
  const [unit, length] = STEPS.find(([, length]) => Math.abs(past) >= length) ?? ["minute", 60_000];
  return AGO.format(Math.round(past / length), unit);
}

/** 23 Nov 2026, 14:05, in the reader's zone */
export const moment = (text) => MOMENT.format(new Date(text));

/** 23 Nov 2026, 14:05:09 CET: with the zone, for tooltips. */
export const exact = (text) => EXACT.format(new Date(text));

/** The reader's time zone, such as Europe/Berlin. */
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
