/** The page's state in its URL, so that a link or a reload shows it again. */

import { h } from "./element.js";

const DAY = 86_400_000;
/** The filters whose values are those of one project. */
export const LISTS = ["key", "assistant", "version", "source", "subject", "thread", "run", "reason", "dataset", "assignee", "metadata"];
const PLAIN = ["min_score", "max_score", "text", "has_comment", "has_correction"];
export const FILTERS = ["days", "since", "until", ...LISTS, ...PLAIN];
export const VIEWS = ["overview", "feedback", "versions", "settings"];
export const DEFAULT_DAYS = "30";

/** The parameters of the current URL. */
export const urlParameters = () => new URLSearchParams(location.search);

/** The part of the dashboard that is shown. */
export const view = () => (VIEWS.includes(urlParameters().get("view")) ? urlParameters().get("view") : VIEWS[0]);

/** The URL with these changes; null and "" remove a parameter, and a list gives it several values. */
export function addressWith(changes) {
  const query = urlParameters();
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    if (name === "view" && value === VIEWS[0]) continue;
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") query.append(name, one);
  }
  return `${location.pathname}${query.size ? `?${query}` : ""}`;
}

/** The link to one feedback, which no filter hides. */
export function linkOf(id) {
  const query = new URLSearchParams({ view: "feedback", item: id });
  if (urlParameters().has("project")) query.set("project", urlParameters().get("project"));
  return new URL(`${location.pathname}?${query}`, location.href).href;
}

/** Apply these changes to the URL, as a new history entry or in place. */
export function show(changes, { inPlace = false } = {}) {
  const url = addressWith(changes);
  if (url !== location.pathname + location.search) history[inPlace ? "replaceState" : "pushState"](null, "", url);
}

/** Apply the changes to the URL and show the dashboard accordingly. */
export function go(changes) {
  show(changes);
  dispatchEvent(new Event("dashboard-go"));
}

/** A link to the dashboard with these changes, which a plain click follows without loading the page again. */
export function linkTo(changes, properties, ...children) {
  const all = { cursor: null, item: null, ...changes };
  const follow = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button) return;
    event.preventDefault();
    go(all);
  };
  return h("a", { href: addressWith(all), onclick: follow, ...properties }, ...children);
}

/** The names of the filters that are set. */
export const setFilters = () => FILTERS.filter((name) => urlParameters().has(name));

/** The changes of the URL that remove all filters. */
export const noFilters = () => ({ ...Object.fromEntries(FILTERS.map((name) => [name, null])), cursor: null });

/** The filters as query parameters of the API, without `status`, which only lists and exports use. */
export function apiFilters() {
  const [query, given] = [new URLSearchParams(), urlParameters()];
  for (const name of [...LISTS, ...PLAIN]) for (const value of given.getAll(name)) if (value) query.append(name, value);
  const { since, until } = span();
  if (since) query.set("since", since);
  if (until) query.set("until", until);
  return query;
}

/** The start and the exclusive end of the period (ISO 8601, midnights UTC); null for an open end. */
export function span() {
  const given = urlParameters();
  if (given.has("since") || given.has("until")) return { since: midnight(given.get("since"), 0), until: midnight(given.get("until"), 1) };
  const days = Number(given.get("days") ?? DEFAULT_DAYS);
  return { since: days > 0 ? iso(Math.floor(Date.now() / DAY) * DAY - (days - 1) * DAY) : null, until: null };
}

function midnight(day, ahead) {
  const time = day ? Date.parse(`${day}T00:00:00Z`) : NaN;
  return Number.isNaN(time) ? null : iso(time + ahead * DAY);
}

const iso = (time) => new Date(time).toISOString();
