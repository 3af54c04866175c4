/** The count of feedback that has arrived since the list was drawn, with a button that shows it. */

import { asked, shown } from "./address.js";
import { read } from "./api.js";
import { h, say } from "./element.js";
import { several } from "./format.js";

const EVERY = 20_000;

/** Poll while the page is visible, until the signal aborts; `refresh` redraws the list. */
export function watchArrivals(box, refresh, signal) {
  const since = new Date().toISOString();
  box.replaceChildren();
  const look = async () => {
    if (document.hidden || shown().has("until")) return;
    const query = asked();
    query.set("since", since);
    try {
      const { count } = await read("feedback/count", query, signal);
      if (count && !signal.aborted) announce(box, count, refresh);
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

function announce(box, count, refresh) {
  const text = `${several(count, "new piece", "new pieces")} of feedback`;
  if (!box.firstChild) say(text);
  box.replaceChildren(h("button", { type: "button", class: "quiet small arrivals", onclick: refresh }, `${text}: show`));
}
