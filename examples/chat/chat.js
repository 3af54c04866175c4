/** The page: the conversations on the left, the open one in the middle, the feedback on the right. */

import { Conversation } from "./conversation.js";
import { element } from "./element.js";
import { hideGate, showGate, watchGate } from "./gate.js";
import { begin, conversations, isAboutKey, key, remove } from "./server.js";
import { watchVotes } from "./votes.js";

const LISTED = 50; // conversations
const NEAR = 120; // pixels from the end within which the page keeps scrolling to the end
const part = (id) => document.getElementById(id);
const look = watchVotes(part("votes"), part("tally"));
let current;
let restoring;
let listed = LISTED;
let isAtEnd = true;
let isBeginning = false;

function inAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("thread") ?? undefined;
}

function notice(words = "") {
  part("notice").textContent = words;
  part("notice").hidden = !words;
}

/** Shows an error; asks for an API key, again if necessary, where one may help. */
function failed(error) {
  if (isAboutKey(error) || !part("gate").hidden) showGate(error);
  else notice(error.message);
}

function entitle(title) {
  part("title").textContent = title;
  document.title = `${title} · Chat with your agent`;
}

function toEnd() {
  part("scroll").scrollTop = part("scroll").scrollHeight;
}

/** Shows the open conversation and its state; a question that could not be sent returns to the input box. */
function draw(conversation, turn, error) {
  if (conversation !== current) return;
  const hadFocus = [part("send"), part("stop")].includes(document.activeElement);
  part("send").hidden = Boolean(current.working);
  part("stop").hidden = !current.working;
  part("welcome").hidden = Boolean(current.id) || !part("gate").hidden;
  part("older").hidden = !current.hasOlder;
  if (hadFocus) part("question").focus();
  if (turn?.text && current.working !== turn) part("announcement").textContent = `The agent says: ${turn.text}`;
  if (error && !turn.runId) part("question").value ||= turn.question.text;
  if (error && (!turn.runId || isAboutKey(error))) failed(error); // the turn shows other errors itself
}

async function open(id) {
  current?.leave();
  current = new Conversation(id, look, draw);
  part("turns").replaceChildren(current.element);
  part("announcement").textContent = "";
  isAtEnd = true;
  if (inAddress() !== id) history.pushState(null, "", id ? `#thread=${id}` : location.pathname);
  entitle(id ? "Conversation" : "New conversation");
  notice();
  draw(current);
  restoring = id ? restore(current) : undefined;
  await Promise.all([showList(), restoring]);
}

async function restore(conversation) {
  try {
    await conversation.restore();
  } catch (error) {
    if (conversation !== current) return;
    if (![404, 422].includes(error.status)) return failed(error); // 422: the address has no valid id
    await open(undefined);
    return notice("This conversation is not there any more.");
  }
  draw(conversation);
  toEnd();
}

/** Shows earlier turns without moving the visible ones. */
async function showOlder() {
  const conversation = current;
  const toBottom = part("scroll").scrollHeight - part("scroll").scrollTop;
  let count;
  try {
    count = await conversation.older();
  } catch (error) {
    return failed(error);
  }
  if (conversation !== current) return;
  const hadFocus = document.activeElement === part("older");
  draw(conversation);
  if (hadFocus && part("older").hidden) part("scroll").focus({ preventScroll: true });
  part("scroll").scrollTop = part("scroll").scrollHeight - toBottom;
  part("announcement").textContent = `${count} earlier turns are shown.`;
}

async function showList() {
  let found;
  try {
    found = await conversations(listed);
  } catch (error) {
    return failed(error);
  }
  hideGate();
  draw(current);
  part("forget").hidden = !key();
  part("more").hidden = found.length < listed;
  part("list").replaceChildren(...found.map(entry));
}

function entry({ thread_id, metadata }) {
  const title = metadata.title || "Conversation";
  const opener = element("button", { type: "button", className: "open", title }, title);
  const isOpen = thread_id === current.id;
  if (isOpen) entitle(title);
  opener.setAttribute("aria-current", String(isOpen));
  opener.addEventListener("click", () => choose(thread_id));
  const bin = element("button", { type: "button", className: "delete" }, "×");
  bin.setAttribute("aria-label", `Delete the conversation ${title}`);
  bin.addEventListener("click", () => confirm(`Delete the conversation "${title}" for good?`) && discard(thread_id));
  return element("li", {}, opener, bin);
}

async function choose(id) {
  showMenu(false);
  await open(id);
  part("question").focus();
}

async function discard(id) {
  try {
    if (id === current.id) current.leave();
    await remove(id);
  } catch (error) {
    return failed(error);
  }
  await (id === current.id ? open(undefined) : showList());
  part("question").focus();
}

/** Sends the question to the open conversation, or to a new one. */
async function send(question) {
  await restoring;
  const conversation = current;
  if (!question || conversation.working || isBeginning) return;
  notice();
  part("question").value = "";
  try {
    if (!conversation.id) await beginWith(conversation, question.slice(0, 60));
  } catch (error) {
    part("question").value ||= question;
    return failed(error);
  }
  isAtEnd = true;
  await conversation.ask(question);
}

async function beginWith(conversation, title) {
  isBeginning = true;
  try {
    conversation.id = (await begin(title)).thread_id;
  } finally {
    isBeginning = false;
  }
  if (conversation !== current) return;
  history.replaceState(null, "", `#thread=${conversation.id}`);
  showList();
}

function showMenu(isShown) {
  part("threads").classList.toggle("shown", isShown);
  part("menu").setAttribute("aria-expanded", String(isShown));
  if (isShown) part("new").focus();
}

part("form").addEventListener("submit", (event) => {
  event.preventDefault();
  send(part("question").value.trim());
});
part("question").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  part("form").requestSubmit();
});
part("stop").addEventListener("click", () => current.working?.stop().catch(failed));
part("examples").addEventListener("click", ({ target }) => {
  if (!target.matches(".example")) return;
  part("question").focus();
  send(target.textContent);
});
part("older").addEventListener("click", showOlder);
part("more").addEventListener("click", () => {
  listed += LISTED;
  showList();
});
part("new").addEventListener("click", () => choose(undefined));
part("menu").addEventListener("click", () => showMenu(!part("threads").classList.contains("shown")));
document.addEventListener("keydown", ({ key: pressed }) => {
  if (pressed !== "Escape" || !part("threads").classList.contains("shown")) return;
  showMenu(false);
  part("menu").focus();
});
part("scroll").addEventListener("scroll", () => {
  const { scrollHeight, scrollTop, clientHeight } = part("scroll");
  isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR;
});
const growth = new ResizeObserver(() => isAtEnd && toEnd());
for (const id of ["scroll", "turns"]) growth.observe(part(id));
watchGate(() => {
  look();
  choose(current.id);
});
addEventListener("hashchange", () => inAddress() !== current.id && open(inAddress()));

open(inAddress());
