/** Tabs: links to the parts of the dashboard. Each part is a link of its own, so it can be bookmarked and opened apart. */

import { VIEWS, linkTo, view } from "./address.js";
import { at } from "./element.js";

const TITLES = { overview: "Overview", feedback: "Feedback", versions: "Versions", settings: "Settings" };

/** Draw the tabs, and show the part that the address names. */
export function drawTabs() {
  const now = view();
  at("tabs").replaceChildren(...VIEWS.map((name) => linkTo({ view: name }, { "aria-current": name === now && "page" }, TITLES[name])));
  for (const section of document.querySelectorAll("#main > section")) section.hidden = section.dataset.view !== now;
  at("filters").hidden = now === "settings";
  document.title = `${TITLES[now]} · Feedback`;
}
