// Calls tools over MCP with one of the two official packages and prints the results as one JSON document.
// node mcp.mjs URL (sdk | client): `sdk` is @modelcontextprotocol/sdk, with a handshake; `client` uses 2026-07-28.
const [url, which] = process.argv.slice(2);
const FEEDBACK = "dev.agent-server/feedback";
const THREAD = "dev.agent-server/thread";
const RESUME = "dev.agent-server/resume";

async function connected() {
  const about = [{ name: "test", version: "1" }];
  if (which === "sdk") {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    const client = new Client(...about);
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    return client;
  }
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const client = new Client(...about, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return client;
}

const client = await connected();
const call = (name, given, meta, options) =>
  client.callTool({ name, arguments: given, _meta: meta }, ...(which === "sdk" ? [undefined, options] : [options]));
const version = client.getNegotiatedProtocolVersion?.() ?? client.transport.protocolVersion;
const { tools } = await client.listTools();
const progress = [];
const steps = await call("steps", { total: 2 }, { [FEEDBACK]: { keys: ["user_liked"] } }, {
  onprogress: ({ message }) => progress.push(message),
});
const received = steps._meta[FEEDBACK];
const submitted = await call("submit_feedback", { run_id: received.run_id, score: 1, by: "user" });
const asked = await call("asking", { question: "why?" }, { [THREAD]: {} });
const answered = await call("asking", {}, { [THREAD]: asked._meta[THREAD], [RESUME]: "because" });
const failed = await call("failing", { question: "?" });
const unknown = await call("nothing", {}).catch((error) => error.message);
const gone = new AbortController();
const sleeping = call("sleeping", { seconds: 50 }, { [THREAD]: {} }, { signal: gone.signal }).catch(() => "cancelled");
setTimeout(() => gone.abort(), 300);
console.log(
  JSON.stringify({
    version,
    tools: tools.map(({ name }) => name),
    done: steps.structuredContent.done,
    progress,
    urls: received.urls,
    run_id: received.run_id,
    source: submitted.structuredContent.source,
    asked: asked.structuredContent.__interrupt__[0].value,
    answer: answered.structuredContent.answer,
    failed: failed.isError && failed.content[0].text,
    unknown,
    sleeping: await sleeping,
  }),
);
await client.close();
