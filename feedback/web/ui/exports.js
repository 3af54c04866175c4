/** Exports of the shown feedback as a download. The fetch sends the API key, which must not be in a URL. */

import { apiFilters, urlParameters } from "./address.js";
import { download, read } from "./api.js";
import { at, h, announce } from "./element.js";
import { count, several } from "./format.js";
import { icon } from "./icons.js";
import { failed } from "./notice.js";

const TRAINING = ["kto", "dpo", "sft"];
const FORMATS = [
  ["csv", "CSV", "for spreadsheets"],
  ["jsonl", "JSON Lines", "a piece of feedback a line, with everything"],
  ["kto", "KTO", "training: answers with good or bad scores"],
  ["dpo", "DPO", "training: corrections preferred to answers"],
  ["sft", "SFT", "training: corrections as answers"],
];

/** The menu of formats. */
export function exportMenu() {
  const menu = h("details", { class: "menu" }, h("summary", null, icon("save"), "Export"),
    h("ul", null, FORMATS.map((one) => h("li", null, item(one, () => menu.removeAttribute("open"))))));
  menu.addEventListener("keydown", (event) => event.key === "Escape" && close(menu));
  menu.addEventListener("focusout", (event) => menu.contains(event.relatedTarget) || event.relatedTarget === null || menu.removeAttribute("open"));
  document.addEventListener("click", (event) => menu.contains(event.target) || menu.removeAttribute("open"));
  return menu;
}

function close(menu) {
  menu.removeAttribute("open");
  menu.querySelector("summary").focus();
}

function item([format, label, about], chosen) {
  const start = () => {
    chosen();
    save(format, label);
  };
  return h("button", { type: "button", onclick: start }, h("strong", null, label), h("small", null, about));
}

async function save(format, label) {
  const query = apiFilters();
  query.set("format", format);
  if (urlParameters().get("status")) query.set("status", urlParameters().get("status"));
  at("notice").replaceChildren(h("p", { class: "notice" }, `Preparing the ${label} file …`));
  try {
    const { blob, name } = await download("feedback/export", query);
    offer(blob, name);
    at("notice").replaceChildren();
    announce(`${name} was downloaded`);
    if (TRAINING.includes(format)) reportOn(await read("feedback/export/report", query), label);
  } catch (failure) {
    at("notice").replaceChildren(failed(failure, () => save(format, label)));
  }
}

/** The number of examples in the file, and the reasons for leaving out the rest. */
function reportOn({ written, left_out }, label) {
  const reasons = Object.entries(left_out).sort(([, one], [, other]) => other - one);
  at("notice").replaceChildren(h("div", { class: "notice", role: "status" },
    h("div", null, h("p", null, `${label}: ${several(written, "example")} exported.`),
      reasons.length > 0 && h("ul", null, reasons.map(([reason, times]) => h("li", null, `${count(times)} left out: ${reason}`)))),
    h("button", { type: "button", class: "quiet small", onclick: () => at("notice").replaceChildren() }, "Dismiss")));
}

function offer(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
