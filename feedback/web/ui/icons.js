/** Line icons, hidden from screen readers. */

import { s } from "./element.js";

const THUMB = "M7 10v11H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zm0 0 4-7.2c1.5 0 2.6 1.1 2.6 2.6V9h5.3a2 2 0 0 1 2 2.3l-1.3 8a2 2 0 0 1-2 1.7H7";
const PATHS = {
  up: [THUMB],
  down: [THUMB],
  close: ["M6 6l12 12M18 6 6 18"],
  save: ["M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M5 19.5h14"],
  next: ["m9.5 6 6 6-6 6"],
  down_small: ["m7 10 5 5 5-5"],
  up_small: ["m7 14 5-5 5 5"],
  refresh: ["M19 8a8 8 0 1 0 1 6M19 3v5h-5"],
  words: ["M4 5h16v11H9.5L5 20v-4H4z"],
  filter: ["M4 6h16M7 12h10M10 18h4"],
  search: ["M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zm4.8-1.7L20 20"],
  link: ["M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.5 1.5M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.5-1.5"],
  lock: ["M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
};

/** The icon with this name. */
export function icon(name) {
  const turned = name === "down" ? "rotate(180 12 12)" : null;
  const paths = PATHS[name].map((d) => s("path", { d, transform: turned }));
  return s("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, paths);
}
