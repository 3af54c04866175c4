// Sends messages over A2A with one of the official package's two versions and prints the results as one JSON document.
// node a2a.mjs URL (1.0 | 0.3)
const [url, version] = process.argv.slice(2);
const { ClientFactory } = await import(version === "1.0" ? "@a2a-js/sdk/client" : "a2a-js-sdk-0.3/client");
const FEEDBACK = "https://agent-server.dev/a2a/feedback/v1";

const factory = new ClientFactory();
const agent = (name) => factory.createFromUrl(`${url}/a2a/${name}/.well-known/agent-card.json`, "");
const options = { serviceParameters: { "A2A-Extensions": FEEDBACK, "X-A2A-Extensions": FEEDBACK } };

function part(given) {
  const kind = typeof given === "string" ? "text" : "data";
  if (version === "0.3") return { kind, [kind]: given };
  return { content: { $case: kind, value: given }, metadata: undefined, filename: "", mediaType: "" };
}

function message(given, task) {
  const metadata = { [FEEDBACK]: { keys: ["user_liked"] } };
  const place = { contextId: task?.contextId, taskId: task?.id };
  const role = version === "1.0" ? 1 : "user";
  const common = { messageId: crypto.randomUUID(), role, parts: [part(given)], metadata };
  if (version === "0.3") return { message: { kind: "message", ...common, ...place }, configuration: { blocking: true } };
  const filled = { contextId: place.contextId ?? "", taskId: place.taskId ?? "", extensions: [], referenceTaskIds: [] };
  return { tenant: "", message: { ...common, ...filled }, configuration: undefined, metadata: undefined };
}

const state = (task) => String(task.status.state);
const shown = ({ parts: [one] }) => one.content?.value ?? one.text ?? one.data;

const echoing = await agent("echoing");
const received = await echoing.sendMessage(message("Hello"), options);
const [artifact] = received.artifacts;
const events = [];
for await (const event of (await agent("talking")).sendMessageStream(message("Hello"))) {
  events.push(event.payload?.$case ?? event.kind);
}
const asking = await agent("asking");
const asked = await asking.sendMessage(message({ question: "why?" }));
const answered = await asking.sendMessage(message("because", asked));
const failed = await (await agent("failing")).sendMessage(message({ question: "?" }));
const unknown = await echoing.getTask({ id: "nothing", tenant: "" }).catch((error) => error.message);
console.log(
  JSON.stringify({
    state: state(received),
    reply: shown(artifact),
    feedback: artifact.metadata[FEEDBACK],
    run_id: artifact.artifactId.replace("-response", ""),
    events,
    asked: [state(asked), shown(asked.artifacts[0]).value],
    answered: [state(answered), answered.id === asked.id, shown(answered.artifacts[0]).answer],
    failed: [state(failed), shown(failed.status.message)],
    unknown,
  }),
);
