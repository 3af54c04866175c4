/** The dashboard: reads and draws the state in the URL. */

import { addressWith, apiFilters, go, noFilters, urlParameters, span, view } from "./address.js";
import { key, read, useKey } from "./api.js";
import { watchArrivals } from "./arrivals.js";
import { redraw } from "./chart.js";
import { at, h } from "./element.js";
import { exportMenu } from "./exports.js";
import { drawFilters } from "./filters.js";
import { zone } from "./format.js";
import { askForKey, showGate } from "./gate.js";
import { icon } from "./icons.js";
import { copyButton } from "./link.js";
import { drawKeys } from "./keys.js";
import { readKnown } from "./known.js";
import { drawList } from "./list.js";
import { empty, failed, waiting } from "./notice.js";
import { projectMenu } from "./projects.js";
import { sizeFor } from "./series.js";
import { drawSettings } from "./settings.js";
import { openNamed, openSheet } from "./sheet.js";
import { drawTabs } from "./tabs.js";
import { drawVersions } from "./versions.js";

const DAY = 86_400_000;
const page = { known: null, guarded, clear, reload: load, open: (id) => openSheet(id, page), redrawList };
let running = new AbortController();

/** Reload and redraw everything; an earlier call in progress is dropped. */
async function load() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  drawTabs();
  const parts = { overview: "keys", versions: "versions", feedback: "feedback", settings: "settings" };
  at(parts[view()]).setAttribute("aria-busy", "true");
  const first = beginReading(signal);
  await guarded(async () => {
    page.known = await readKnown(signal);
    showGate(false);
    drawTools();
    drawFilters(at("filters"), page.known, load);
    delete at("main").dataset.state;
    at("notice").replaceChildren();
    if (view() === "settings") return part("settings", (box) => drawSettings(box, page, signal));
    if (!page.known.hasFeedback) return welcome();
    if (view() === "overview") return part("keys", (box) => drawOverview(box, first, signal));
    if (view() === "versions") return part("versions", async (box) => drawVersions(box, await first, page.known));
    watchArrivals(at("arrivals"), load, signal);
    return drawList(at("feedback"), page, signal);
  }, signal);
  redraw();
}

/** Start to read the view's statistics, which need not wait for the filter choices. */
function beginReading(signal) {
  const reads = { overview: readOverview, versions: () => statisticsBy(["assistant", "version", "source"], signal) };
  const first = reads[view()]?.(signal);
  first?.catch(() => {}); // awaited later, or not at all
  return first;
}

/** Run the work; ask for an API key if one is missing, and show other errors. */
async function guarded(work, signal) {
  try {
    await work();
  } catch (failure) {
    if (signal?.aborted) return;
    endWaiting();
    if (failure.isAboutKey) return askForKey(failure, load);
    if (!failure.status && failure.status !== 0) throw failure;
    showGate(false);
    at("notice").replaceChildren(failed(failure, load));
  } finally {
    if (!signal?.aborted) at("main").removeAttribute("aria-busy");
  }
}

/** Remove the placeholders of failed parts; the notice has the reason and a retry button. */
function endWaiting() {
  for (const id of ["keys", "versions", "feedback", "settings"]) {
    at(id).removeAttribute("aria-busy");
    at(id).querySelectorAll(".waiting").forEach((one) => one.remove());
  }
}

/** Draw one part, or its error in its place. */
async function part(id, work) {
  const box = at(id);
  try {
    await work(box);
  } catch (failure) {
    if (failure.isAboutKey || failure.name === "AbortError") throw failure;
    box.replaceChildren(failed(failure, load));
  } finally {
    box.removeAttribute("aria-busy");
  }
}

async function readOverview(signal) {
  const size = sizeFor(await daysShown(signal));
  return { size, statistics: await statisticsBy(["source", size], signal, { total: "true" }) };
}

async function drawOverview(box, first, signal) {
  const { size, statistics } = await first;
  const [totals, periods] = [statistics.filter((one) => one[size] === null), statistics.filter((one) => one[size] !== null)];
  if (!totals.length) return drawNothing(box);
  at("keys-about").textContent = `By ${size}. Days are UTC; times of day are ${zone()}.`;
  const extras = Promise.all([read("feedback/response-rates", apiFilters(), signal), read("feedback/reasons", apiFilters(), signal)]);
  return drawKeys(box, { totals, periods, size, filters: apiFilters(), extras });
}

function statisticsBy(dimensions, signal, more = {}) {
  const query = apiFilters();
  for (const [name, value] of Object.entries(more)) query.set(name, value);
  for (const one of dimensions) query.append("by", one);
  query.set("limit", "10000");
  return read("feedback/statistics", query, signal);
}

/** The number of days in the charts: the filter's, or from the first month with feedback. */
async function daysShown(signal) {
  const { since, until } = span();
  const end = until ? Date.parse(until) : Date.now();
  if (since) return (end - Date.parse(since)) / DAY;
  const months = (await statisticsBy(["month", "source"], signal)).map((one) => Date.parse(one.month));
  return months.length ? (Math.min(end, Math.max(...months) + 31 * DAY) - Math.min(...months)) / DAY : 1;
}

function drawNothing(box) {
  const all = () => go({ days: "all", since: null, until: null, cursor: null });
  at("main").dataset.state = "nothing";
  at("keys-about").textContent = "";
  box.replaceChildren(empty("Nothing fits these filters", "There is feedback, but none that fits all of the filters.",
    h("button", { type: "button", class: "quiet small", onclick: all }, "Show all time"),
    h("button", { type: "button", class: "quiet small", onclick: clear }, "Clear filters")));
}

function clear() {
  go({ ...noFilters(), status: null });
}

function welcome() {
  at("main").dataset.state = "unused";
  for (const id of ["keys", "versions", "feedback"]) {
    at(id).removeAttribute("aria-busy");
    at(id).replaceChildren();
  }
  const box = at({ overview: "keys", versions: "versions", feedback: "feedback" }[view()]);
  box.replaceChildren(empty("No feedback yet", "Feedback that is sent through a presigned URL appears here. Run an agent with feedback_keys, and post to a URL of its feedback event:",
    h("pre", { tabindex: "0" }, "curl \"$FEEDBACK_URL\" -H 'Content-Type: application/json' -d '{\"score\": 1, \"comment\": \"Made me laugh.\"}'"),
    h("button", { type: "button", class: "quiet small", onclick: load }, "Refresh")));
}

function redrawList() {
  if (view() === "feedback") guarded(() => drawList(at("feedback"), page));
}

function drawTools() {
  const forget = () => {
    useKey(null);
    load();
  };
  at("tools").replaceChildren(
    projectMenu(page.known.projects, load),
    h("button", { type: "button", class: "quiet small", "aria-label": "Refresh", onclick: load }, icon("refresh"), h("span", { class: "wide-only" }, "Refresh")),
    copyButton(() => new URL(addressWith({ item: null, answer: null }), location.href).href),
    exportMenu(),
    key() ? h("button", { type: "button", class: "quiet small", onclick: forget }, "Forget key") : "");
}

function start() {
  at("keys").replaceChildren(waiting("tall"), waiting("tall"), waiting("tall"));
  at("versions").replaceChildren(waiting("tall"));
  at("feedback").replaceChildren(waiting("short"), waiting("short"), waiting("short"));
  at("settings").replaceChildren(waiting("short"), waiting("short"));
  addEventListener("dashboard-go", () => {
    if (at("item").open) at("item").close();
    load();
  });
  addEventListener("popstate", () => {
    if (!urlParameters().get("item") && at("item").open) return at("item").close();
    return load();
  });
  const named = urlParameters().get("item") ?? urlParameters().get("answer");
  load().then(() => named && page.known && guarded(() => openNamed(named, page)));
}

start();
