/** The form for the API key, shown if the server requires one, with the reason for a rejected one. */

import { isAboutKey, key, useKey } from "./server.js";

const part = (id) => document.getElementById(id);

/** Asks for an API key; `failure` is the reason. */
export function showGate(failure) {
  const isFirst = isAboutKey(failure) && !key();
  part("gate-wrong").textContent = isFirst ? "" : wrong(failure);
  part("gate-wrong").hidden = isFirst;
  part("form").hidden = part("welcome").hidden = part("turns").hidden = true;
  part("gate").hidden = false;
  part("key").value = "";
  part("key").focus();
}

/** Hides the form and shows the conversation. */
export function hideGate() {
  if (part("gate").hidden) return;
  part("gate").hidden = true;
  part("form").hidden = part("turns").hidden = false;
}

/** Calls `entered` when the API key changes or is removed. */
export function watchGate(entered) {
  part("gate").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = part("key").value.trim();
    if (!text) return part("key").focus();
    useKey(text);
    entered();
  });
  part("forget").addEventListener("click", () => {
    useKey(undefined);
    entered();
  });
}

function wrong(failure) {
  if (!isAboutKey(failure)) return failure.message;
  const why = failure.status === 403 ? "This key may not ask agents: it needs the scope run." : "This key does not open it.";
  return `${why} ${failure.message}`;
}
