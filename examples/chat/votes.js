/** The list of the server's feedback, newest first. */

import { element } from "./element.js";
import { isAboutKey, request } from "./server.js";

const LOOK_SECONDS = 4;

/** Keeps `list` and `tally` in sync with the server; returns a function that refreshes at once. */
export function watchVotes(list, tally) {
  const known = new Set();
  let isFirst = true;
  let isRefused = false;
  let latest = 0;
  async function look() {
    if (document.hidden) return;
    const mine = ++latest;
    try {
      const found = await request("GET", "/feedback?limit=100&key=user_score");
      if (mine !== latest) return; // a later request, perhaps with another key, decides
      show(found);
      isRefused = false;
    } catch (error) {
      if (mine !== latest || !isAboutKey(error)) return; // unreachable for a moment: keep what is shown
      isRefused = true;
      tally.textContent = "What people said is shown to those whose API key has the scope feedback-read.";
      list.replaceChildren();
    }
  }
  function show(answers) {
    const up = answers.filter((one) => one.score > 0.5).length;
    tally.textContent = answers.length ? `${up} up, ${answers.length - up} down` : "No feedback yet. A thumb below an answer appears here.";
    list.replaceChildren(...answers.slice(0, 12).map((one) => vote(one, !isFirst && !known.has(one.id))));
    for (const one of answers) known.add(one.id);
    isFirst = false;
  }
  setInterval(() => isRefused || look(), LOOK_SECONDS * 1000);
  document.addEventListener("visibilitychange", look);
  look();
  return look;
}

function vote({ score, comment, created_at }, isFresh) {
  const isUp = score > 0.5;
  const at = new Date(created_at);
  const time = element("time", { dateTime: created_at }, at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  const one = element("li", { className: `vote ${isUp ? "up" : "down"}${isFresh ? " fresh" : ""}` }, time, element("b", {}, isUp ? "Thumb up" : "Thumb down"));
  if (comment) one.append(element("p", {}, comment));
  return one;
}
