"""Send a message to an agent over A2A, print its streamed answer, and submit feedback on it.

pip install 'a2a-sdk>=1.3'
python examples/a2a_client.py http://127.0.0.1:2024 "Tell me a joke about databases."
"""

import asyncio
import sys

import httpx
from a2a.client import ClientCallContext, ClientConfig, create_client
from a2a.client.service_parameters import ServiceParametersFactory, with_a2a_extensions
from a2a.helpers import get_artifact_text, get_message_text, new_text_message
from a2a.types import Role, SendMessageRequest
from google.protobuf.json_format import MessageToDict

FEEDBACK = "https://agent-server.dev/a2a/feedback/v1"


async def main(server: str, question: str) -> None:
    """Ask the agent, print its answer, and rate it."""
    message = new_text_message(question, role=Role.ROLE_USER)
    message.metadata.update({FEEDBACK: {"keys": ["user_liked"]}})
    context = ClientCallContext(service_parameters=ServiceParametersFactory.create([with_a2a_extensions([FEEDBACK])]))
    async with httpx.AsyncClient(timeout=60) as http:
        client = await create_client(f"{server}/a2a/agent", ClientConfig(httpx_client=http))
        async for event in client.send_message(SendMessageRequest(message=message), context=context):
            if event.HasField("status_update"):
                print(get_message_text(event.status_update.status.message), end="", flush=True)
            elif event.HasField("artifact_update"):
                artifact = event.artifact_update.artifact
        print("\nAnswer:", get_artifact_text(artifact))
        url = MessageToDict(artifact.metadata)[FEEDBACK]["urls"]["user_liked"]
        kept = await http.post(url, json={"score": 1, "comment": "Made me laugh."})
        print("Feedback:", kept.json())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
