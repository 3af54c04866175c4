"""Event streaming with the official JavaScript client: `client.threads.stream`, which version 2.0.0 lacks."""

from __future__ import annotations

import json

import pytest

from tests.clients.node import node
from tests.clients.server_process import ServerProcess

STREAMING = """
    import { Client } from "@langchain/langgraph-sdk";
    const [apiUrl, transport] = process.argv.slice(-2);
    const client = new Client({ apiUrl });
    const seen = { values: [], feedback: [], interrupts: [], errors: [] };

    const counting = client.threads.stream({ assistantId: "steps", transport });
    await counting.run.start({ input: { total: 3, pause: 0.3 }, feedback_keys: ["user_liked"] });
    const feedback = (async () => { for await (const one of counting.extensions.feedback) seen.feedback.push(one); })();
    for await (const values of counting.values) seen.values.push(values.done);
    await feedback;
    await counting.close();

    const asking = client.threads.stream({ assistantId: "asking", transport });
    await asking.run.start({ input: { question: "how many?" } });
    for await (const _ of asking.values);
    const [{ interruptId, namespace, payload }] = asking.interrupts;
    seen.interrupts.push(payload);
    await asking.input.respond({ interrupt_id: interruptId, namespace, response: "three" });
    while ((await client.threads.get(asking.threadId)).status !== "idle");
    seen.answer = (await client.threads.getState(asking.threadId)).values.answer;
    await asking.close();

    const nobody = client.threads.stream({ assistantId: "nobody", transport });
    await nobody.run.start({ input: {} }).catch((error) => seen.errors.push(error.code));
    console.log(JSON.stringify(seen));
    process.exit(0);
"""


@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_values_feedback_and_interrupts_reach_the_javascript_client(
    graphs: ServerProcess, transport: str
) -> None:
    options = ["--no-warnings", "--experimental-websocket", "--input-type=module"]
    seen = json.loads(await node(*options, "-e", STREAMING, graphs.url, transport))
    assert seen["values"][-1] == [0, 1, 2]
    assert [list(one) for one in seen["feedback"]] == [["user_liked"]]
    assert seen["interrupts"] == [{"question": "how many?"}]
    assert seen["answer"] == "three"
    assert seen["errors"] == ["invalid_argument"]
