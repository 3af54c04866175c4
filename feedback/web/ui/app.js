/** The dashboard: reads what the address asks for, and draws it. */

import { FILTERS, asked, show, shown, span } from "./address.js";
import { drawAnswers } from "./answers.js";
import { key, read, useKey } from "./api.js";
import { redraw } from "./chart.js";
import { at, h } from "./element.js";
import { exportMenu } from "./exports.js";
import { drawFilters } from "./filters.js";
import { askForKey, showGate } from "./gate.js";
import { drawKeys } from "./keys.js";
import { readKnown } from "./known.js";
import { empty, failed, waiting } from "./notice.js";
import { projectMenu } from "./projects.js";
import { sizeFor } from "./series.js";
import { openNamed, openSheet } from "./sheet.js";
import { drawVersions } from "./versions.js";

const DAY = 86_400_000;
const page = { known: null, guarded, clear, open: (answer) => openSheet(answer, page.known, reviewed) };
let running = new AbortController();

/** Read everything anew, and draw it; what an earlier call is still reading is dropped. */
async function load() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  for (const id of ["keys", "versions", "answers"]) at(id).setAttribute("aria-busy", "true");
  await guarded(async () => {
    page.known = await readKnown(signal);
    showGate(false);
    drawTools();
    drawFilters(at("filters"), page.known, load);
    if (!page.known.keys.length) return welcome();
    delete at("main").dataset.state;
    await Promise.all([drawDays(signal), part("versions", (box) => drawPlaces(box, signal)), drawAnswers(at("answers"), page, signal)]);
  }, signal);
  redraw();
}

/** Do it; ask for a key where one is missing, and say what else went wrong. */
async function guarded(work, signal) {
  try {
    await work();
    at("main").removeAttribute("aria-busy");
  } catch (failure) {
    if (signal?.aborted) return;
    if (failure.isAboutKey) return askForKey(failure, load);
    if (!failure.status && failure.status !== 0) throw failure;
    showGate(false);
    at("notice").replaceChildren(failed(failure, load));
  }
}

/** Draw one part; its failure is shown in its place, and the others stay. */
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

async function drawDays(signal) {
  await part("keys", async (box) => {
    const statistics = await statisticsBy(["day"], signal);
    at("notice").replaceChildren();
    if (!statistics.length) return drawNothing(box);
    const size = sizeFor(daysOf(statistics));
    at("keys-about").textContent = `Share of positive scores by ${size}, with the interval the true share is in (95 %).`;
    return drawKeys(box, statistics, size);
  });
}

async function drawPlaces(box, signal) {
  drawVersions(box, await statisticsBy(["assistant", "version"], signal), page.known);
}

function statisticsBy(dimensions, signal) {
  const query = asked();
  for (const one of dimensions) query.append("by", one);
  query.set("limit", "10000");
  return read("feedback/statistics", query, signal);
}

function daysOf(statistics) {
  const { since, until } = span();
  const days = statistics.map((one) => Date.parse(one.day));
  return ((until ? Date.parse(until) : Math.max(...days) + DAY) - (since ? Date.parse(since) : Math.min(...days))) / DAY;
}

function drawNothing(box) {
  const all = () => {
    show({ days: "all", since: null, until: null, cursor: null });
    load();
  };
  at("main").dataset.state = "nothing";
  at("keys-about").textContent = "";
  box.replaceChildren(empty("Nothing fits these filters", "There are answers, but none of this time and kind.",
    h("button", { type: "button", class: "quiet small", onclick: all }, "Look at all time"),
    h("button", { type: "button", class: "quiet small", onclick: clear }, "Clear filters")));
}

function clear() {
  show({ ...Object.fromEntries(FILTERS.map((name) => [name, null])), status: null, cursor: null });
  load();
}

function welcome() {
  at("main").dataset.state = "unused";
  at("keys").removeAttribute("aria-busy");
  at("keys").replaceChildren(empty("No answers yet", "Once somebody answers through a presigned URL, it is here. Ask an agent with feedback_keys, and post to a URL of its feedback event:",
    h("pre", { tabindex: "0" }, "curl \"$FEEDBACK_URL\" -H 'Content-Type: application/json' -d '{\"score\": 1, \"comment\": \"Made me laugh.\"}'"),
    h("button", { type: "button", class: "quiet small", onclick: load }, "Look again")));
}

function reviewed() {
  guarded(() => drawAnswers(at("answers"), page));
}

function drawTools() {
  const forget = () => {
    useKey(null);
    load();
  };
  at("tools").replaceChildren(projectMenu(page.known.projects, load), exportMenu(), key() ? h("button", { type: "button", class: "quiet small", onclick: forget }, "Forget key") : "");
}

function start() {
  at("keys").replaceChildren(waiting("tall"), waiting("tall"), waiting("tall"));
  at("answers").replaceChildren(waiting("short"), waiting("short"), waiting("short"));
  addEventListener("popstate", () => {
    const answer = shown().get("answer");
    if (!answer && at("answer").open) return at("answer").close();
    return load();
  });
  const named = shown().get("answer");
  load().then(() => named && page.known && guarded(() => openNamed(named, page.known, reviewed)));
}

start();
