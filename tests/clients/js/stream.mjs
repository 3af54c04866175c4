// Streams a run and prints its events, one JSON a line.
// node stream.mjs URL '{"assistant": ..., "thread": true, "payload": {...}, "background": false, "modes": [...]}'
// node stream.mjs URL '{"join": {"threadId": ..., "runId": ..., "lastEventId": ...}}'
import { Client } from "@langchain/langgraph-sdk";

const [url, asked] = process.argv.slice(2);
const { assistant, thread, payload, background, modes, join } = JSON.parse(asked);
const client = new Client({ apiUrl: url, apiKey: "any" });
const threadId = thread ? (await client.threads.create()).thread_id : null;

async function* events() {
  if (join) {
    yield* client.runs.joinStream(join.threadId ?? null, join.runId, { lastEventId: join.lastEventId });
  } else if (background) {
    const run = await client.runs.create(threadId, assistant, payload);
    yield* client.runs.joinStream(threadId, run.run_id, { streamMode: modes });
  } else {
    yield* client.runs.stream(threadId, assistant, payload);
  }
}

for await (const { id, event, data } of events()) {
  console.log(JSON.stringify({ id, event, data }));
}
