/** The conversation of a feedback, as far as the service knows it. */

import { read } from "./api.js";
import { h } from "./element.js";
import { userOf } from "./list.js";
import { failed } from "./notice.js";
import { score } from "./score.js";

const NAMES = { user: "User", assistant: "Assistant", system: "System", tool: "Tool" };

/** Read and draw the conversation; `known` has the titles of the feedback keys. */
export async function drawConversation(box, piece, known) {
  box.setAttribute("aria-busy", "true");
  box.replaceChildren(h("p", { class: "meta" }, "Loading…"));
  try {
    const found = await read(`feedback/${encodeURIComponent(piece.id)}/conversation`);
    box.replaceChildren(h("ol", null, found.messages.map((one) => message(one, piece, known))), found.reason ? h("p", { class: "meta" }, found.reason) : "");
  } catch (failure) {
    box.replaceChildren(failed(failure, () => drawConversation(box, piece, known)));
  } finally {
    box.removeAttribute("aria-busy");
  }
}

function message(one, piece, known) {
  const who = one.name ?? NAMES[one.role] ?? one.role;
  return h("li", { class: `message ${one.role} ${one.judged ? "judged" : ""}` },
    h("p", { class: "who" }, who, one.judged && one.role === "assistant" && h("span", null, " · this feedback is about it")),
    one.content && h("p", { class: "text", dir: "auto" }, one.content),
    one.feedback.length > 0 && h("ul", { class: "given", "aria-label": "Feedback on this reply" }, one.feedback.map((given) => placed(given, given.id === piece.id, known))),
    one.tool_calls.map((call) => h("pre", { tabindex: "0" }, `${call.function?.name ?? "tool"}(${argumentsOf(call)})`)));
}

/** A feedback below its reply. */
function placed(given, isThis, known) {
  return h("li", { class: isThis ? "this" : null }, score(given), h("span", { class: "meta" }, known.titleOf(given.key), ` · ${userOf(given.feedback_source.user_id)}`), given.comment && h("span", { class: "clamped", dir: "auto" }, given.comment));
}

function argumentsOf(call) {
  const given = call.function?.arguments ?? "";
  return typeof given === "string" ? given : JSON.stringify(given);
}
