/** The count of feedback that has arrived since the list was drawn, with a button that shows it. */

import { apiFilters, urlParameters } from "./address.js";
import { read } from "./api.js";
import { h, announce } from "./element.js";
import { several } from "./format.js";

const EVERY = 20_000;

/** Poll while the page is visible, until the signal aborts; `refresh` redraws the list. */
export function watchArrivals(box, refresh, signal) {
  const since = new Date().toISOString();
  box.replaceChildren();
  const look = async () => {
    if (document.hidden || urlParameters().has("until")) return;
    const query = apiFilters();
    query.set("since", since);
    try {
      const { count } = await read("feedback/count", query, signal);
      if (count && !signal.aborted) showArrivals(box, count, refresh);
    } catch {
      // The next poll may succeed; the list itself shows connection errors.
    }
  };
  const timer = setInterval(look, EVERY);
  const onSeen = () => look();
  document.addEventListener("visibilitychange", onSeen);
  addEventListener("focus", onSeen);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", onSeen);
    removeEventListener("focus", onSeen);
  });
}

function showArrivals(box, count, refresh) {
  const text = `${several(count, "new piece", "new pieces")} of feedback`;
  if (!box.firstChild) announce(text);
  box.replaceChildren(h("button", { type: "button", class: "quiet small arrivals", onclick: refresh }, `${text}: show`));
}
