// AG-UI's adapter for LangGraph, unmodified: prints what a CopilotKit page receives of a run.
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
