// Makes every call about feedback of LangSmith's client and prints the results as one JSON document.
// node langsmith.mjs API_URL RUN_ID
import { Client } from "langsmith";

const [apiUrl, runId] = process.argv.slice(2);
const client = new Client({ apiUrl, apiKey: "any", autoBatchTracing: false });
const session = "00000000-0000-4000-8000-000000000002";
const stars = { type: "continuous", min: 0, max: 5 };
const topics = { type: "categorical", categories: [{ value: 0, label: "a" }, { value: 1, label: "b" }] };
const labels = ({ feedback_config }) => feedback_config.categories.map(({ label }) => label);
const post = (url, body) => fetch(url, { method: "POST", body: JSON.stringify(body) });
const status = (promise) => promise.then(() => 200, (error) => error.status ?? error.message);
async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

const listedBefore = (await all(client.listPresignedFeedbackTokens(runId))).length;
const expirations = [undefined, "2040-01-01T00:00:00Z", { days: 1, hours: 2, minutes: 3 }, { hours: 0 }];
const tokens = [];
for (const expiration of expirations) {
  tokens.push(await client.createPresignedFeedbackToken(runId, "stars", { expiration, feedbackConfig: stars }));
}
const named = await client.createPresignedFeedbackToken("chat 7", "stars");
const listed = await all(client.listPresignedFeedbackTokens(runId));
const answers = [
  await post(tokens[0].url, { score: 4, comment: "hi" }),
  await fetch(`${tokens[1].url}?score=5&comment=by%20GET`, { headers: { Accept: "application/json" } }),
  await post(tokens[2].url, { score: 6 }),
  await post(named.url, { score: 1 }),
];

const made = await client.createFeedback({
  runId, key: "quality", score: 0.98765, value: "v", correction: { a: 1 }, comment: "c", sourceInfo: { who: "me" },
  feedbackConfig: { type: "continuous", min: 0, max: 1 }, sessionId: session, startTime: 1767225600000,
  extendTraceRetention: true,
});
const outside = client.createFeedback(runId, "quality", {
  score: 7, feedbackConfig: { type: "continuous", min: 0, max: 1 }, sessionId: session,
});
const refused = await status(outside);
await client.createFeedback(runId, "legacy", { score: true, feedbackSourceType: "app", sourceRunId: runId });
await client.createFeedback({ key: "project", score: 1, projectId: session });
await client.logEvaluationFeedback({ key: "judged", score: 0, comment: "bad" }, { id: runId, trace_id: runId });
const read = await client.readFeedback(made.id);
await client.updateFeedback(made.id, { score: 0.5, value: null, comment: "x" });
const updated = await client.readFeedback(made.id);
const keys = async (filter) => (await all(client.listFeedback({ runIds: [runId], ...filter }))).map(({ key }) => key);
const lists = {
  every: await keys({}),
  keys: await keys({ feedbackKeys: ["quality", "legacy"] }),
  model: await keys({ feedbackSourceTypes: ["model"] }),
  app: await keys({ feedbackSourceTypes: ["app", "model"] }),
};
await client.deleteFeedback(made.id);
const deleted = await status(client.readFeedback(made.id));

const config = await client.createFeedbackConfig({ feedbackKey: "js_stars", feedbackConfig: stars });
const same = await client.createFeedbackConfig({ feedbackKey: "js_stars", feedbackConfig: stars });
const lower = await client.updateFeedbackConfig("js_stars", { isLowerScoreBetter: true });
await client.createFeedbackConfig({ feedbackKey: "js_topics", feedbackConfig: topics, isEnforced: true });
const more = await client.addFeedbackCategories("js_topics", [{ value: 2, label: "c" }]);
const less = await client.removeFeedbackCategories("js_topics", [0]);
const found = await all(client.listFeedbackConfigs({ feedbackKeys: ["js_stars"], nameContains: "js", limit: 5 }));
const enforced = await all(client.listFeedbackConfigs({ isEnforced: true }));
await client.deleteFeedbackConfig("js_stars");
await client.deleteFeedbackConfig("js_topics");

console.log(
  JSON.stringify({
    listedBefore,
    listed: listed.slice(-4).map(({ id }) => tokens.findIndex((token) => token.id === id)),
    expiries: tokens.map(({ expires_at }) => Date.parse(expires_at) - Date.now()),
    answers: answers.map((response) => response.status),
    refused,
    read: [read.score, read.value, read.comment, read.correction, read.feedback_source, read.session_id, read.start_time],
    updated: [updated.score, updated.value, updated.comment],
    lists,
    deleted,
    configs: {
      same: same.id === config.id,
      lower: lower.is_lower_score_better,
      labels: [labels(more), labels(less)],
      found: found.map(({ feedback_key }) => feedback_key),
      enforced: enforced.map(({ feedback_key }) => feedback_key),
      left: (await all(client.listFeedbackConfigs())).length,
      deleted: (await all(client.listFeedbackConfigs({ includeAllConfigs: true }))).length,
    },
  }),
);
