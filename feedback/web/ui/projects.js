/** Projects: whose answers are shown, for a key that may see those of several. Kept in the address. */

import { show, shown } from "./address.js";
import { h } from "./element.js";

const DEFAULT = "default";
const THEIRS = ["key", "assistant", "version", "status", "answer", "cursor"];

/** The choice of a project, where there are several; `changed` is called when another is chosen. */
export function projectMenu(projects, changed) {
  if (projects.length < 2) return "";
  const now = shown().get("project") ?? DEFAULT;
  const take = (event) => {
    const name = event.target.value;
    show({ ...Object.fromEntries(THEIRS.map((one) => [one, null])), project: name === DEFAULT ? null : name });
    changed();
  };
  const option = ({ name }) => h("option", { value: name, selected: name === now }, name);
  return h("span", { class: "field" }, h("select", { "aria-label": "Project", onchange: take }, projects.map(option)));
}
