/** The list of conversations. */

import { made } from "/chat/turn.js";

const list = document.getElementById("threads");
const dialog = document.getElementById("deleting");

/** Lists the conversations, the open one marked; `onDelete` is told which one somebody wants gone. */
export function showThreads(threads, openId, onDelete) {
  const focused = document.activeElement?.dataset?.of;
  list.replaceChildren(...threads.map((thread) => row(thread, openId, onDelete)));
  if (focused) list.querySelector(`[data-of="${CSS.escape(focused)}"]`)?.focus();
}

export function markOpen(openId) {
  for (const link of list.querySelectorAll("a")) {
    if (link.hash === `#${openId}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function row(thread, openId, onDelete) {
  const element = made("li");
  const link = made("a", "", thread.title);
  link.href = `#${thread.id}`;
  link.title = thread.title;
  link.dataset.of = thread.id;
  if (thread.id === openId) link.setAttribute("aria-current", "page");
  const gone = made("button", "plain");
  gone.type = "button";
  gone.setAttribute("aria-label", `Delete “${thread.title}”`);
  gone.append(made("span", "cross"));
  gone.addEventListener("click", () => onDelete(thread));
  element.append(link, gone);
  return element;
}

/** Whether somebody really wants it gone. */
export function confirmDelete(title) {
  document.getElementById("deleting-what").textContent = `“${title}” and its answers go for good.`;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
