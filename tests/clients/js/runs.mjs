// Waits for runs, resumes one, and prints the results as one JSON document.
// node runs.mjs URL
import { Client } from "@langchain/langgraph-sdk";

const client = new Client({ apiUrl: process.argv[2], apiKey: "any" });
const { thread_id: threadId } = await client.threads.create({ metadata: { from: "javascript" } });
const asked = await client.runs.wait(threadId, "asking", { input: { question: "why?" } });
const { status } = await client.threads.get(threadId);
const answered = await client.runs.wait(threadId, "asking", { command: { resume: "because" } });
const state = await client.threads.getState(threadId);
const listed = await client.runs.list(threadId);
const statuses = await client.runs.list(threadId, { select: ["status"] });
const gone = new AbortController();
const from = { lastEventId: "-", streamMode: ["lifecycle"], signal: gone.signal };
const { value: first } = await client.threads.joinStream(threadId, from).next();
gone.abort();
const joined = await client.runs.join(threadId, listed[0].run_id);
const [assistant] = await client.assistants.search({ graphId: "asking" });
let failure;
try {
  await client.runs.wait(null, "failing", { input: { question: "?" } });
} catch (error) {
  failure = error.message;
}
let missing;
try {
  await client.threads.get("00000000-0000-4000-8000-000000000000");
} catch (error) {
  missing = error.status;
}
console.log(
  JSON.stringify({
    asked: asked.__interrupt__[0].value,
    status,
    answered,
    values: state.values,
    runs: listed.length,
    statuses,
    first: first.event,
    joined,
    graph: assistant.graph_id,
    failure,
    missing,
  }),
);
