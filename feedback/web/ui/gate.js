/** The gate: asks for the API key, and says what is wrong with the one that was given. */

import { key, useKey } from "./api.js";
import { at, h } from "./element.js";
import { icon } from "./icons.js";

/** Ask for a key; `opened` is called with it in use. `failure` is why. */
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
      h("h2", null, "Which API key?"),
      h("p", { id: "key-about" }, "This server shows its feedback to those who have a key that may read it. Yours is kept in this tab only, until you close it."),
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
  if (failure.status === 403) return `This key may not read feedback: it needs the scope feedback-read. ${failure.message}`;
  return `This key does not open it. ${failure.message}`;
}
