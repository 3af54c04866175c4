/** A button that copies a link, or shows it where the browser offers no clipboard (a page without https). */

import { input, labelled, openForm } from "./dialog.js";
import { h, announce } from "./element.js";
import { icon } from "./icons.js";

const SHOWN = 2_500;

/** The button; `url()` is the link at the time of the press. */
export function copyButton(url, properties) {
  const text = h("span", { class: "wide-only" }, "Copy link");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(url());
    } catch {
      return showLink(url());
    }
    text.textContent = "Copied";
    announce("The link was copied");
    return setTimeout(() => (text.textContent = "Copy link"), SHOWN);
  };
  return h("button", { type: "button", class: "quiet small", "aria-label": "Copy link", title: "Copy link", onclick: copy, ...properties }, icon("link"), text);
}

function showLink(url) {
  const shown = input("link", url, { readonly: true });
  openForm("Link", [labelled("Copy this link", shown, { wide: true })], async () => {}, { action: "Done", done: "" });
  shown.select();
}
