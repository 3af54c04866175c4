// Runs agents with WorkflowAI's client as its documentation does and prints the results as JSON.
// node workflowai_runs.mjs URL
import { WorkflowAI } from "@workflowai/workflowai";

const workflowAI = new WorkflowAI({ key: "any", url: process.argv[2] });

const myAgentFunction = workflowAI.agent({ id: "My_Agent", schemaId: 1, version: "production" });
const input = { name: "Ada" };

// Get feedback token from run
const { output, feedbackToken } = await myAgentFunction(input);

// Get feedback token when streaming
const { stream } = await workflowAI.agent({ id: "growing", schemaId: 1, version: 1 })({ text: "one two" }).stream();
let lastChunk;
const chunks = [];
for await (const chunk of stream) {
  chunks.push(chunk.output);
  lastChunk = chunk;
}

await workflowAI.sendFeedback({ feedbackToken, outcome: "positive", comment: "nice", userID: "ada" });
await workflowAI.sendFeedback({ feedbackToken: lastChunk?.feedbackToken, outcome: "negative" });

const failures = [];
for (const [id, given] of [["nonesuch", {}], ["broken", { text: "way" }]]) {
  await workflowAI.agent({ id, schemaId: 1, version: "production" })(given).then(
    () => failures.push("none"),
    (error) => failures.push([error.status, error.errorCode, error.detail?.error?.message]),
  );
}
console.log(JSON.stringify({ output, chunks, ids: lastChunk.data.id, failures }));
