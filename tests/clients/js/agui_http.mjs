// AG-UI's HttpAgent, unmodified: makes the runs that stdin describes, in sequence, and prints what it receives.
import { HttpAgent } from "@ag-ui/client";

const { url, headers, threadId, state, runs } = JSON.parse(await new Response(process.stdin).text());
console.error = console.warn = () => {};
const agent = new HttpAgent({ url, headers, threadId, initialState: state ?? {} });
const made = [];
for (const { say, tool, edit, answer, abortOn, ...input } of runs) {
  if (say) agent.messages.push({ id: crypto.randomUUID(), role: "user", content: say });
  if (tool) agent.messages.push({ id: crypto.randomUUID(), role: "tool", ...tool });
  if (edit) agent.state = { ...agent.state, ...edit };
  if (answer) input.resume = agent.pendingInterrupts.map(({ id }) => ({ interruptId: id, ...answer }));
  const events = [];
  const onEvent = ({ event }) => {
    events.push(event);
    if (event.type === abortOn) agent.abortRun();
  };
  let error = null;
  await agent.runAgent(input, { onEvent }).catch((failure) => (error = { message: failure.message, ...failure }));
  made.push({ events, error, state: agent.state, messages: agent.messages, interrupts: agent.pendingInterrupts });
}
console.log(JSON.stringify(made));
process.exit(0);
