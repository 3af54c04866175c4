/** Projects: a choice of one for API keys that see several, and their settings. */

import { read, remove, send } from "./api.js";
import { LISTS, show, urlParameters } from "./address.js";
import { pageFields, pagesIn } from "./projectpages.js";
import { deleteButton, input, labelled, openForm } from "./dialog.js";
import { h } from "./element.js";
import { count, exact, several, when } from "./format.js";

const DEFAULT = "default";
const OF_A_PROJECT = [...LISTS, "status", "item", "cursor"];

/** The selection of a project, if there are several; `changed` is called when it changes. */
export function projectMenu(projects, changed) {
  if (projects.length < 2) return "";
  const now = urlParameters().get("project") ?? DEFAULT;
  const take = (event) => {
    const name = event.target.value;
    show({ ...Object.fromEntries(OF_A_PROJECT.map((one) => [one, null])), project: name === DEFAULT ? null : name });
    changed();
  };
  const option = ({ name }) => h("option", { value: name, selected: name === now }, name);
  return h("span", { class: "field" }, h("select", { "aria-label": "Project", onchange: take }, projects.map(option)));
}

/** The table of the projects, and a button for a new one. */
export async function projectSettings(box, { page, again, signal }) {
  const projects = await read("feedback/projects", "", signal);
  const changed = async () => {
    await again();
    page.reload();
  };
  const row = (one) => h("tr", null,
    h("th", { scope: "row" }, one.name), h("td", null, one.origins.join(", ") || "any", h("small", { class: "meta" }, rateOf(one.rate))), h("td", { dir: "auto" }, one.pages.product ?? h("span", { class: "meta" }, "as the server")),
    h("td", { class: "wide-cell" }, h("time", { datetime: one.created_at, title: exact(one.created_at) }, when(one.created_at))),
    h("td", null, h("button", { type: "button", class: "quiet small", "aria-label": `Edit ${one.name}`, onclick: () => edit(one, changed) }, "Edit")));
  box.replaceChildren(
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Projects" },
      h("table", { class: "wrapped" }, h("thead", null, h("tr", null, ["Name", "Web origins and rate", "Product"].map((text) => h("th", { scope: "col" }, text)), h("th", { scope: "col", class: "wide-cell" }, "Created"), h("td", null))), h("tbody", null, projects.map(row)))),
    h("button", { type: "button", class: "small", onclick: () => edit(null, changed) }, "New project"));
}

/** 600/60 in words. */
function rateOf(rate) {
  if (!rate) return "no limit";
  const [times, seconds] = rate.split("/").map(Number);
  return seconds === 60 ? `${count(times)} a minute` : `${count(times)} in ${several(seconds, "second")}`;
}

function edit(project, changed) {
  const form = openForm(project ? `Project ${project.name}` : "New project", [
    labelled("Name", input("name", project?.name, { required: true, maxlength: 63, readonly: Boolean(project), spellcheck: "false" })),
    labelled("Rate limit", input("rate", project?.rate, { placeholder: "600/60", pattern: "\\s*([1-9]\\d*/[1-9]\\d*|off)\\s*" }), { hint: "Submissions and mintings in so many seconds: 600/60 is 600 in a minute. Empty: no limit." }),
    labelled("Web origins", h("textarea", { name: "origins", rows: 3, spellcheck: "false" }, (project?.origins ?? []).join("\n")), { wide: true, hint: "One a line, such as https://shop.example. Empty lets any origin send feedback." }),
    pageFields(project?.pages ?? null),
  ], async ({ elements }) => {
    const body = { origins: elements.origins.value.split(/\s+/).filter(Boolean), rate: elements.rate.value.trim() || null, pages: await pagesIn(elements) };
    if (project) await send("PATCH", `feedback/projects/${encodeURIComponent(project.name)}`, body);
    else await send("POST", "feedback/projects", { name: elements.name.value.trim(), ...body });
    await changed();
  });
  if (!project || project.name === DEFAULT) return;
  form.querySelector(".row").append(deleteButton("Delete project", `Delete the project ${project.name}?`, "Its feedback keys, alert rules and rate limit are deleted for good, and its API keys stop working. A project with feedback or URLs is deleted on the command line only.", async () => {
    await remove(`feedback/projects/${encodeURIComponent(project.name)}`);
    await changed();
  }));
}
