/** The address: what is shown, so that a link or a reload shows it again. */

const DAY = 86_400_000;
const LISTS = ["key", "assistant", "version"];
const PLAIN = ["min_score", "max_score", "text", "has_comment"];
export const FILTERS = ["days", "since", "until", ...LISTS, ...PLAIN];
export const DEFAULT_DAYS = "30";

/** What the address says now. */
export const shown = () => new URLSearchParams(location.search);

/** Put these into the address (null and "" take one out), as a step that the Back button undoes, or in place. */
export function show(changes, { inPlace = false } = {}) {
  const query = shown();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") query.delete(name);
    else query.set(name, value);
  }
  const url = `${location.pathname}${query.size ? `?${query}` : ""}`;
  if (url !== location.pathname + location.search) history[inPlace ? "replaceState" : "pushState"](null, "", url);
}

/** How many filters are set. */
export const countFilters = () => FILTERS.filter((name) => shown().has(name)).length;

/** The filters as the service takes them. `status`, which only lists and exports follow, is left to them. */
export function asked() {
  const [query, given] = [new URLSearchParams(), shown()];
  for (const name of [...LISTS, ...PLAIN]) if (given.get(name)) query.set(name, given.get(name));
  const { since, until } = span();
  if (since) query.set("since", since);
  if (until) query.set("until", until);
  return query;
}

/** From when to when (ISO 8601, midnights UTC; the end is not part of it); null where there is no end. */
export function span() {
  const given = shown();
  if (given.has("since") || given.has("until")) return { since: midnight(given.get("since"), 0), until: midnight(given.get("until"), 1) };
  const days = Number(given.get("days") ?? DEFAULT_DAYS);
  return { since: days > 0 ? iso(Math.floor(Date.now() / DAY) * DAY - (days - 1) * DAY) : null, until: null };
}

function midnight(day, ahead) {
  const time = day ? Date.parse(`${day}T00:00:00Z`) : NaN;
  return Number.isNaN(time) ? null : iso(time + ahead * DAY);
}

const iso = (time) => new Date(time).toISOString();
