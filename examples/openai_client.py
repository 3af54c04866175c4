"""Ask an agent through OpenAI's API, print its streamed answer, and submit feedback on it.

    pip install 'openai>=3.51'
    python examples/openai_client.py http://127.0.0.1:2024 "Tell me a joke about databases."

Open WebUI, LibreChat and LiteLLM take the same address, http://127.0.0.1:2024/v1, and any API key while the server has
none.
"""

import sys

import httpx
from openai import OpenAI


def main(server: str, question: str) -> None:
    """Ask the agent, print its answer, and rate it."""
    with OpenAI(base_url=f"{server}/v1", api_key="any") as client:
        print("Models:", ", ".join(model.id for model in client.models.list()))
        stream = client.chat.completions.create(
            model="agent",
            messages=[{"role": "user", "content": question}],
            stream=True,
            extra_body={"feedback_keys": ["user_liked"]},
        )
        print("Answer: ", end="")
        for chunk in stream:
            [choice] = chunk.choices
            print(choice.delta.content or "", end="", flush=True)
        print("\nFeedback token:", choice.feedback_token)
        kept = httpx.post(choice.feedback["user_liked"], json={"score": 1, "comment": "Made me laugh."})
        print("Feedback:", kept.json())


if __name__ == "__main__":
    main(*sys.argv[1:3])
