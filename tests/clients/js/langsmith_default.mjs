// Records feedback about a trace with a client in its default configuration, which may send batches; waits for them.
// node langsmith_default.mjs API_URL RUN_ID
import { Client } from "langsmith";

const [apiUrl, runId] = process.argv.slice(2);
const client = new Client({ apiUrl, apiKey: "any" });
const session = "00000000-0000-4000-8000-000000000002";
await client.createFeedback({ runId, traceId: runId, key: "one", score: 1, comment: "é", sessionId: session });
await client.createFeedback({ runId, traceId: runId, key: "two", score: 0, sessionId: session });
await client.awaitPendingTraceBatches();
