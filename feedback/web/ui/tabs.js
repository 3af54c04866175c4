/** Tabs: links to the parts of the dashboard, which can be bookmarked and opened separately. */

import { VIEWS, linkTo, view } from "./address.js";
import { at } from "./element.js";

const TITLES = { overview: "Overview", feedback: "Feedback", versions: "Versions", settings: "Settings" };

/** Draw the tabs, and show the part in the URL. */
export function drawTabs() {
  const now = view();
  at("tabs").replaceChildren(...VIEWS.map((name) => linkTo({ view: name }, { "aria-current": name === now && "page" }, TITLES[name])));
  for (const section of document.querySelectorAll("#main > section")) section.hidden = section.dataset.view !== now;
  at("filters").hidden = now === "settings";
  document.title = `${TITLES[now]} · Feedback`;
}
