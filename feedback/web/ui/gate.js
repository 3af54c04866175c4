/** The form for the API key, with the reason for a rejected one. */

import { key, useKey } from "./api.js";
import { at, h } from "./element.js";
import { icon } from "./icons.js";

/** Ask for an API key; `opened` is called once it is set. `failure` is the reason. */
export function askForKey(failure, opened) {
  const problem = key() ? wrong(failure) : null;
  const input = h("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": problem ? "key-wrong" : "key-about" });
  const enter = (event) => {
    event.preventDefault();
    if (!input.value.trim()) return input.focus();
    useKey(input.value.trim());
    opened();
  };
  at("gate").replaceChildren(
    h("form", { class: "gate", onsubmit: enter },
      h("span", { class: "mark" }, icon("lock")),
      h("h2", null, "API key required"),
      h("p", { id: "key-about" }, "This server shows its feedback with an API key that has the scope feedback-read. The key is kept in this tab only, until you close it."),
      problem && h("p", { id: "key-wrong", class: "wrong", role: "alert" }, problem),
      h("label", { for: "key" }, "API key"),
      input,
      h("button", null, "Open"),
    ),
  );
  showGate(true);
  input.focus();
}

/** Show the gate instead of the page, or the page. */
export function showGate(isClosed) {
  at("gate").hidden = !isClosed;
  at("main").hidden = isClosed;
  at("tools").hidden = isClosed;
  if (!isClosed) at("gate").replaceChildren();
}

function wrong(failure) {
  if (failure.status === 403) return `This API key cannot read feedback: it needs the scope feedback-read. ${failure.message}`;
  return `This API key is not valid. ${failure.message}`;
}
