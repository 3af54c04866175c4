// Sends outcomes with WorkflowAI's client, in sequence, and prints how each ended as JSON.
// node workflowai.mjs URL '[{"feedbackToken": …, "outcome": "positive", "comment": …, "userID": …}, …]'
import { WorkflowAI } from "@workflowai/workflowai";

const [url, outcomes] = process.argv.slice(2);
const client = new WorkflowAI({ key: "any", url });
const ended = [];
for (const outcome of JSON.parse(outcomes)) {
  ended.push(await client.sendFeedback(outcome).then(() => "sent", (error) => error.message));
}
console.log(JSON.stringify(ended));
