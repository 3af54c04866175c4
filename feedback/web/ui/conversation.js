/** The conversation that an answer is about, as far as the service knows it. */

import { read } from "./api.js";
import { h } from "./element.js";
import { failed } from "./notice.js";

const NAMES = { user: "User", assistant: "Assistant", system: "System", tool: "Tool" };

/** Read and draw it. */
export async function drawConversation(box, answer) {
  box.setAttribute("aria-busy", "true");
  box.replaceChildren(h("p", { class: "meta" }, "Looking it up …"));
  try {
    const found = await read(`feedback/${encodeURIComponent(answer.id)}/conversation`);
    box.replaceChildren(h("ol", null, found.messages.map(message)), found.reason ? h("p", { class: "meta" }, found.reason) : "");
  } catch (failure) {
    box.replaceChildren(failed(failure, () => drawConversation(box, answer)));
  } finally {
    box.removeAttribute("aria-busy");
  }
}

function message(one) {
  const who = one.name ?? NAMES[one.role] ?? one.role;
  return h("li", { class: `message ${one.role} ${one.judged ? "judged" : ""}` },
    h("p", { class: "who" }, who, one.judged && one.role === "assistant" && h("span", null, " · judged here")),
    one.content && h("p", { class: "text", dir: "auto" }, one.content),
    one.tool_calls.map((call) => h("pre", { tabindex: "0" }, `${call.function?.name ?? "tool"}(${argumentsOf(call)})`)));
}

function argumentsOf(call) {
  const given = call.function?.arguments ?? "";
  return typeof given === "string" ? given : JSON.stringify(given);
}
