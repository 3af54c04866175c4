// Gets feedback URLs from a run, submits to them with fetch, reads the feedback with LangSmith's client; prints JSON.
// node feedback.mjs URL PREFIX
import { Client } from "@langchain/langgraph-sdk";
import { Client as LangSmith } from "langsmith";

const [url, prefix] = process.argv.slice(2);
const server = new Client({ apiUrl: url, apiKey: "any" });
const langsmith = new LangSmith({ apiUrl: url + prefix, apiKey: "any", autoBatchTracing: false });

async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

let urls, runId;
const stream = server.runs.stream(null, "asking", {
  input: { question: "?" },
  feedbackKeys: ["user_liked", "user_disliked"],
});
for await (const { event, data } of stream) {
  if (event === "metadata") runId = data.run_id;
  if (event === "feedback") urls = data;
}
const posted = await fetch(urls.user_liked, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ score: 1, comment: "from a browser" }),
});
const got = await fetch(`${urls.user_disliked}?score=0&comment=by%20GET`, { headers: { Accept: "application/json" } });

const token = await langsmith.createPresignedFeedbackToken(runId, "stars", {
  feedbackConfig: { type: "continuous", min: 1, max: 5 },
});
const answered = await fetch(token.url, { method: "POST", body: JSON.stringify({ score: 4 }) });
const refused = await fetch(token.url, { method: "POST", body: JSON.stringify({ score: 6 }) });
const tokens = await all(langsmith.listPresignedFeedbackTokens(runId));
const created = await langsmith.createFeedback(runId, "review", { score: 0.5, comment: "by hand" });
const read = await langsmith.readFeedback(created.id);
const listed = await all(langsmith.listFeedback({ runIds: [runId] }));

console.log(
  JSON.stringify({
    statuses: [posted, got, answered, refused].map((response) => response.status),
    tokens: tokens.length,
    listedToken: tokens.some((one) => one.url === token.url),
    read: { run: read.run_id === runId, key: read.key, score: read.score, comment: read.comment },
    listed: Object.fromEntries(listed.map(({ key, score }) => [key, score])),
    source: listed.find(({ key }) => key === "user_liked").feedback_source.type,
  }),
);
