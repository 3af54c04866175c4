/** The chat page: one conversation at a time, named by the address's fragment, and the list of all of them. */

import { joinRun, newId, readRunFeedback, streamRun } from "/feedback/feedback-client.js";
import { follow } from "/chat/following.js";
import { cancelRun, createThread, deleteThread, listThreads, readTurns } from "/chat/server.js";
import { confirmDelete, markOpen, showThreads } from "/chat/sidebar.js";
import { Turn } from "/chat/turn.js";

const FEEDBACK_KEYS = ["user_liked", "user_disliked"];
const LONGEST_TITLE = 80;
const UNDER_WAY = new Set(["pending", "running"]);
const ENDINGS = {
  error: "The agent failed here; the server's log says why.",
  timeout: "The agent took too long here.",
  interrupted: "Stopped.",
};
const AGAIN = "The connection was lost; trying again…";

const [talk, empty, turns, form, question, send, stop, notice, told, conversations] = [
  "talk", "empty", "turns", "ask", "question", "send", "stop", "notice", "told", "conversations",
].map((id) => document.getElementById(id));

let open; // the conversation that is seen: { id, controller, running }
const unrated = new Map(); // turns by their elements, until they are seen and get their thumbs
const seen = new IntersectionObserver(onSeen, { rootMargin: "50%" });

/** Shows the conversation that the address names; what was read for the one before is let go, its run goes on. */
async function openThread(id) {
  open?.controller.abort();
  seen.disconnect();
  unrated.clear();
  const mine = (open = { id, controller: new AbortController(), running: undefined });
  turns.replaceChildren();
  notice.textContent = "";
  empty.hidden = Boolean(id);
  markOpen(id);
  showRunning();
  if (id) await orSay(mine, () => restore(mine));
}

async function restore(mine) {
  const found = await readTurns(mine.id);
  if (mine !== open) return;
  for (const one of found) await showAgain(mine, one);
}

/** Shows a turn as the server has it; one that is still under way is followed. */
async function showAgain(mine, { runId, status, question: asked, answer }) {
  const turn = addTurn(asked);
  turn.runId = runId;
  if (UNDER_WAY.has(status)) {
    await watch(mine, turn, (options) => joinRun({ ...options, runId }));
    return;
  }
  turn.end(answer, ENDINGS[status] ?? "", status !== "success" && status !== "interrupted");
  if (status === "success") rateOnceSeen(turn);
  toEnd();
}

/** Asks the open conversation, or a new one, and shows the answer as it comes. */
async function ask(text) {
  const mine = open;
  const turn = addTurn(text);
  empty.hidden = true;
  notice.textContent = "";
  mine.running = turn;
  turn.show("");
  showRunning();
  toEnd();
  try {
    if (!mine.id) await beginThread(mine, text);
  } catch (error) {
    takeBack(mine, turn, text, error);
    return;
  }
  const input = { messages: [{ type: "human", content: text, id: newId() }] };
  const asked = { assistantId: "agent", input, streamMode: "messages-tuple", feedbackKeys: FEEDBACK_KEYS };
  await watch(mine, turn, (options) => streamRun({ ...options, ...asked }));
}

async function beginThread(mine, text) {
  mine.id = await createThread(text.length > LONGEST_TITLE ? `${text.slice(0, LONGEST_TITLE)}…` : text);
  if (mine === open) history.pushState(null, "", `#${mine.id}`);
  await listAll();
}

/** A question that did not even get a conversation is given back, to be sent again. */
function takeBack(mine, turn, text, error) {
  mine.running = undefined;
  if (mine !== open) return;
  turn.element.remove();
  empty.hidden = turns.children.length > 0;
  question.value ||= text;
  notice.textContent = error.message;
  showRunning();
}

/** Follows a run to its end, and puts thumbs under its answer. */
async function watch(mine, turn, run) {
  mine.running = turn;
  showRunning();
  const { signal } = mine.controller;
  const onConnection = (state) => turn.say(state === "lost" ? AGAIN : "");
  try {
    const parts = run({ threadId: mine.id, signal, onConnection });
    const ended = await follow(shownToEnd(parts), turn, (runId) => onStart(mine, turn, runId));
    await conclude(mine, turn, ended);
  } catch (error) {
    if (signal.aborted) return;
    turn.end(turn.text.textContent, error.message, true);
  } finally {
    mine.running = undefined;
    if (mine === open) showRunning();
  }
}

/** The events, and after each the end of the conversation in view, if it was before. */
async function* shownToEnd(parts) {
  for await (const part of parts) {
    const isAtEnd = nearEnd();
    yield part;
    if (isAtEnd) toEnd();
  }
}

function onStart(mine, turn, runId) {
  turn.runId = runId;
  if (turn.isUnwanted) orSay(mine, () => cancelRun(mine.id, runId));
}

async function conclude(mine, turn, { text, urls, error, isWhole }) {
  if (error !== undefined) {
    turn.end(text, error, true);
  } else if (turn.isUnwanted && !urls) {
    turn.end(text, ENDINGS.interrupted);
  } else {
    const again = isWhole && urls ? undefined : (await readTurns(mine.id)).find((one) => one.runId === turn.runId);
    turn.end(again?.answer || text, ENDINGS[again?.status] ?? "");
    if (urls) turn.rate(urls);
    else if (again?.status === "success") rateOnceSeen(turn);
  }
  told.textContent = [turn.text.textContent, turn.note.textContent].filter(Boolean).join(" ");
  toEnd();
}

function rateOnceSeen(turn) {
  unrated.set(turn.element, turn);
  seen.observe(turn.element);
}

/** Fresh URLs for the answers that come into view: those of the first time may have expired. */
function onSeen(entries) {
  for (const { isIntersecting, target } of entries) {
    const turn = unrated.get(target);
    if (!isIntersecting || !turn) continue;
    unrated.delete(target);
    seen.unobserve(target);
    const { id, controller } = open;
    readRunFeedback({ threadId: id, runId: turn.runId, signal: controller.signal })
      .then(({ urls }) => turn.rate(urls))
      .catch((error) => controller.signal.aborted || turn.say(`It cannot be rated now. ${error.message}`, true));
  }
}

async function stopRunning() {
  const mine = open;
  const turn = mine.running;
  if (!turn) return;
  turn.isUnwanted = true;
  question.focus();
  if (turn.runId) await orSay(mine, () => cancelRun(mine.id, turn.runId));
}

async function remove(thread) {
  if (!(await confirmDelete(thread.title))) return;
  await orSay(open, async () => {
    await deleteThread(thread.id);
    if (open.id === thread.id) startAnew();
    await listAll();
  });
  question.focus();
}

function startAnew() {
  if (location.hash) history.pushState(null, "", location.pathname);
  openThread("");
}

async function listAll() {
  const threads = await listThreads();
  showThreads(threads, open.id, remove);
}

/** Does it; what goes wrong is said, unless somebody has gone on to another conversation. */
async function orSay(mine, work) {
  try {
    await work();
  } catch (error) {
    if (mine !== open) return;
    notice.textContent = error.status === 404 ? "This conversation is not there; it may have been deleted." : error.message;
  }
}

function addTurn(asked) {
  const turn = new Turn(asked);
  turns.append(turn.element);
  return turn;
}

function showRunning() {
  const isRunning = Boolean(open.running);
  send.hidden = isRunning;
  stop.hidden = !isRunning;
}

function nearEnd() {
  return talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80;
}

function toEnd() {
  talk.scrollTop = talk.scrollHeight;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = question.value.trim();
  if (!text || open.running) return;
  question.value = "";
  ask(text);
});
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
stop.addEventListener("click", stopRunning);
document.getElementById("new").addEventListener("click", () => {
  conversations.hidePopover();
  startAnew();
  question.focus();
});
document.getElementById("threads").addEventListener("click", (event) => {
  if (event.target.closest("a")) conversations.hidePopover();
});
document.getElementById("examples").addEventListener("click", (event) => {
  const example = event.target.closest("button");
  if (!example || open.running) return;
  question.focus();
  ask(example.textContent);
});
addEventListener("popstate", () => {
  const id = location.hash.slice(1);
  if (id !== open.id) openThread(id);
});

openThread(location.hash.slice(1));
orSay(open, listAll);
question.focus();
