// Calls every method of the client with every parameter; prints each request with its response's status as JSON.
// (It omits threads.patchState: no server has its route.)
// node every.mjs URL
import { Client } from "@langchain/langgraph-sdk";

const unknown = "00000000-0000-4000-8000-000000000000";
const at = { checkpoint_ns: "", checkpoint_id: unknown, checkpoint_map: {} };

async function recordedFetch(url, init) {
  const answer = await fetch(url, init);
  const request = { method: init?.method ?? "GET", url: String(url), body: init?.body ?? null };
  console.log(JSON.stringify({ ...request, status: answer.status }));
  return answer;
}

const client = new Client({
  apiUrl: process.argv[2],
  apiKey: "any",
  callerOptions: { fetch: recordedFetch, maxRetries: 0 },
});
const page = { limit: 1, offset: 0, sortOrder: "asc" };
const run = {
  input: { total: 1 }, metadata: { a: 1 }, config: { tags: ["a"] }, context: { a: 1 }, checkpointId: unknown,
  checkpoint: at, checkpointDuring: true, durability: "sync", interruptBefore: ["step"], interruptAfter: "*",
  multitaskStrategy: "reject", onCompletion: "keep", webhook: "https://example.org/", onDisconnect: "cancel",
  afterSeconds: 1, ifNotExists: "reject", command: { resume: 1 }, onRunCreated: () => {},
};
const created = { ...run, streamMode: ["values", "updates"], streamSubgraphs: true, streamResumable: true };
const streamed = { ...created, feedbackKeys: ["a"] };
const cron = { ...created, schedule: "0 0 1 1 *", onRunCompleted: "keep", enabled: false };
const steps = [{ updates: [{ values: { done: [1] }, command: { update: {} }, asNode: "step" }] }];
const { assistants, threads, runs, crons, store } = client;

const calls = [
  () => crons.createForThread(unknown, "steps", cron),
  () => crons.create("steps", cron),
  () => crons.update(unknown, { ...run, schedule: "0 0 1 1 *", endTime: "2100-01-01T00:00:00Z", enabled: true }),
  () => crons.delete(unknown),
  () => crons.search({ ...page, assistantId: "steps", threadId: unknown, enabled: true, sortBy: "created_at", select: ["schedule"] }),
  () => crons.count({ assistantId: "steps", threadId: unknown }),
  () => assistants.get(unknown),
  () => assistants.getGraph(unknown, { xray: 1 }),
  () => assistants.getSchemas(unknown),
  () => assistants.getSubgraphs(unknown, { namespace: "sub", recurse: true }),
  () => assistants.getSubgraphs(unknown),
  () => assistants.create({ graphId: "steps", config: {}, context: { a: 1 }, metadata: {}, ifExists: "do_nothing", name: "n", description: "d", assistantId: "11111111-0000-4000-8000-000000000000" }),
  () => assistants.update(unknown, { graphId: "steps", config: {}, context: { a: 1 }, metadata: {}, name: "n", description: "d" }),
  () => assistants.delete(unknown, { deleteThreads: true }),
  () => assistants.search({ ...page, graphId: "steps", name: "n", metadata: {}, sortBy: "name", select: ["name"], includePagination: true }),
  () => assistants.count({ graphId: "steps", name: "n", metadata: {} }),
  () => assistants.getVersions(unknown, { metadata: {}, limit: 1, offset: 0 }),
  () => assistants.setLatest(unknown, 1),
  () => threads.get(unknown),
  () => threads.create({ metadata: {}, ifExists: "raise", graphId: "steps", supersteps: steps, ttl: 5 }),
  () => threads.copy(unknown),
  () => threads.update(unknown, { metadata: {}, ttl: { ttl: 5, strategy: "delete" } }),
  () => threads.delete(unknown),
  () => threads.search({ ...page, metadata: {}, ids: [unknown], status: "idle", sortBy: "updated_at", select: ["status"], values: { a: 1 } }),
  () => threads.count({ metadata: {}, values: { a: 1 }, status: "idle" }),
  () => threads.getState(unknown, undefined, { subgraphs: true }),
  () => threads.getState(unknown, unknown, { subgraphs: true }),
  () => threads.getState(unknown, at, { subgraphs: true }),
  () => threads.updateState(unknown, { values: {}, checkpoint: at, checkpointId: unknown, asNode: "step" }),
  () => threads.getHistory(unknown, { limit: 1, before: { configurable: { checkpoint_id: unknown } }, checkpoint: at, metadata: {} }),
  () => all(threads.joinStream(unknown, { lastEventId: "1-1", streamMode: ["lifecycle"] })),
  () => all(runs.stream(unknown, "steps", streamed)),
  () => all(runs.stream(null, "steps", streamed)),
  () => runs.create(unknown, "steps", created),
  () => runs.create(null, "steps", created),
  () => runs.createBatch([{ input: { total: 1 }, metadata: {}, assistantId: "steps" }]), // the other names it sends in camelCase
  () => runs.wait(unknown, "steps", { ...streamed, raiseError: true }),
  () => runs.wait(null, "steps", streamed),
  () => runs.list(unknown, { limit: 1, offset: 0, status: "success", select: ["status"] }),
  () => runs.get(unknown, unknown),
  () => runs.cancel(unknown, unknown, true, "rollback"),
  () => runs.join(unknown, unknown),
  () => all(runs.joinStream(unknown, unknown, { cancelOnDisconnect: true, lastEventId: "1-1", streamMode: ["values"] })),
  () => all(runs.joinStream(null, unknown, { streamMode: "values" })),
  () => runs.delete(unknown, unknown),
  () => store.putItem(["a"], "k", { a: 1 }, { index: ["a"], ttl: 5 }),
  () => store.getItem(["a"], "k", { refreshTtl: true }),
  () => store.searchItems(["a"], { filter: { a: 1 }, limit: 1, offset: 0, query: "q", refreshTtl: true }),
  () => store.listNamespaces({ prefix: ["a"], suffix: ["b"], maxDepth: 2, limit: 1, offset: 0 }),
  () => store.deleteItem(["a"], "k"),
];

async function all(events) {
  for await (const _ of events);
}

for (const call of calls) {
  try {
    await call();
  } catch (error) {
    if (error instanceof TypeError) throw error; // the resources do not exist, but the call must work
  }
}
console.log(JSON.stringify({ calls: calls.length }));
