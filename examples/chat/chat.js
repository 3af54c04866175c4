/** The page: conversations on the left, the one that is open in the middle, what people said on the right. */

import { newId } from "/feedback/feedback-client.js";
import { element } from "./element.js";
import { begin, contents, conversations, remove } from "./server.js";
import { Turn } from "./turn.js";
import { watchVotes } from "./votes.js";

const part = (id) => document.getElementById(id);
const look = watchVotes(part("votes"), part("tally"));
const WORKING = new Set(["pending", "running"]);
let threadId;
let turns = [];
let working;

function inAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("thread") ?? undefined;
}

function notice(words = "") {
  part("notice").textContent = words;
  part("notice").hidden = !words;
}

function setWorking(turn) {
  working = turn;
  const hadFocus = [part("send"), part("stop")].includes(document.activeElement);
  part("send").hidden = Boolean(turn);
  part("stop").hidden = !turn;
  if (hadFocus) part("question").focus();
}

function add(turn) {
  turns.push(turn);
  part("turns").append(turn.element);
  part("welcome").hidden = true;
}

function toEnd() {
  part("scroll").scrollTop = part("scroll").scrollHeight;
}

/** Shows what a turn that is at work says until its end, and says it once, whole, to those who listen. */
async function watch(turn, reading) {
  setWorking(turn);
  try {
    await reading;
  } catch {
    // the turn says what was wrong
  }
  if (working !== turn) return;
  setWorking(undefined);
  if (turn.text) part("said").textContent = `The agent says: ${turn.text}`;
}

function reset(title) {
  for (const turn of turns) turn.leave();
  turns = [];
  setWorking(undefined);
  part("turns").replaceChildren();
  part("title").textContent = title;
  part("said").textContent = "";
  part("welcome").hidden = false;
  notice();
}

async function open(id) {
  threadId = id;
  reset("New conversation");
  history.replaceState(null, "", id ? `#thread=${id}` : location.pathname);
  await Promise.all([showList(), id && restore(id)]);
}

async function restore(id) {
  let kept;
  try {
    kept = await contents(id);
  } catch (error) {
    return notice(error.message);
  }
  if (threadId !== id) return;
  for (const run of kept.runs) restoreTurn(id, run, kept.messages);
  toEnd();
}

function restoreTurn(id, run, messages) {
  const asked = run.kwargs.input?.messages?.at(-1);
  if (!asked) return;
  const turn = new Turn(id, String(asked.content), look);
  add(turn);
  if (WORKING.has(run.status)) {
    watch(turn, turn.join(run.run_id));
  } else {
    const after = messages[messages.findIndex((one) => one.id === asked.id) + 1];
    turn.show(run.run_id, after?.type === "ai" ? String(after.content) : "", run.status);
  }
}

async function showList() {
  let found;
  try {
    found = await conversations();
  } catch (error) {
    return notice(error.message);
  }
  part("list").replaceChildren(...found.map(listed));
}

function listed({ thread_id, metadata }) {
  const title = metadata.title || "Conversation";
  const opener = element("button", { type: "button", className: "open", title }, title);
  const isOpen = thread_id === threadId;
  if (isOpen) part("title").textContent = title;
  opener.setAttribute("aria-current", String(isOpen));
  opener.addEventListener("click", () => choose(thread_id));
  const bin = element("button", { type: "button", className: "delete" }, "×");
  bin.setAttribute("aria-label", `Delete the conversation ${title}`);
  bin.addEventListener("click", () => discard(thread_id));
  return element("li", {}, opener, bin);
}

async function choose(id) {
  showMenu(false);
  await open(id);
  part("question").focus();
}

async function discard(id) {
  try {
    if (id === threadId) reset("New conversation");
    await remove(id);
  } catch (error) {
    return notice(error.message);
  }
  await (id === threadId ? open(undefined) : showList());
  part("question").focus();
}

async function send(question) {
  if (!question || working) return;
  notice();
  const id = newId();
  try {
    if (!threadId) {
      threadId = (await begin(question.slice(0, 60))).thread_id;
      history.replaceState(null, "", `#thread=${threadId}`);
      showList();
    }
  } catch (error) {
    return notice(error.message);
  }
  part("question").value = "";
  const turn = new Turn(threadId, question, look);
  add(turn);
  toEnd();
  await watch(turn, turn.ask(id));
}

function showMenu(isShown) {
  part("threads").classList.toggle("shown", isShown);
  part("menu").setAttribute("aria-expanded", String(isShown));
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
part("stop").addEventListener("click", () => working?.stop().catch((error) => notice(error.message)));
part("examples").addEventListener("click", ({ target }) => {
  if (!target.matches(".example")) return;
  part("question").focus();
  send(target.textContent);
});
part("new").addEventListener("click", () => choose(undefined));
part("menu").addEventListener("click", () => showMenu(!part("threads").classList.contains("shown")));
document.addEventListener("keydown", ({ key }) => key === "Escape" && showMenu(false));
part("turns").addEventListener("grown", () => {
  const { scrollHeight, scrollTop, clientHeight } = part("scroll");
  if (scrollHeight - scrollTop - clientHeight < 120) toEnd();
});
addEventListener("hashchange", () => inAddress() !== threadId && open(inAddress()));

open(inAddress());
