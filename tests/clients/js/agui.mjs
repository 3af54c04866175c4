// AG-UI's adapter for LangGraph, unchanged: prints what a page with CopilotKit gets of a run.
import { LangGraphAgent } from "@ag-ui/langgraph";

const [url, graphId, threadId, feedbackKeys] = process.argv.slice(2);
const agent = new LangGraphAgent({ deploymentUrl: url, graphId, threadId });
agent.messages = [{ id: "question", role: "user", content: "hello" }];
const events = [];
await agent.runAgent(
  { forwardedProps: { feedbackKeys: JSON.parse(feedbackKeys) } },
  { onEvent: ({ event }) => void events.push(event) },
);
console.log(JSON.stringify({ events, messages: agent.messages }));
