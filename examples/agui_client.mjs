// Run an agent over AG-UI, print its answer as it arrives, and submit feedback on it.
//
//     npm install @ag-ui/client
//     node examples/agui_client.mjs http://127.0.0.1:2024 "Tell me a joke about databases."
//
// CopilotKit takes the same HttpAgent: new CopilotRuntime({ agents: { agent: new HttpAgent({ url }) } }).
import { HttpAgent } from "@ag-ui/client";

const [server, question] = process.argv.slice(2);
const agent = new HttpAgent({ url: `${server}/agui/agent` });
agent.messages = [{ id: crypto.randomUUID(), role: "user", content: question }];

let urls = {};
await agent.runAgent(
  { forwardedProps: { feedbackKeys: ["user_liked"] } },
  {
    onTextMessageContentEvent: ({ event }) => void process.stderr.write(event.delta),
    onCustomEvent: ({ event }) => {
      if (event.name === "feedback") urls = event.value;
    },
  },
);

console.log("Answer:", agent.messages.at(-1).content);
console.log("Feedback URL:", urls.user_liked);
const submission = { method: "POST", headers: { "content-type": "application/json" } };
const body = JSON.stringify({ score: 1, comment: "Made me laugh." });
const kept = await (await fetch(urls.user_liked, { ...submission, body })).json();
console.log("Feedback:", JSON.stringify(kept));
