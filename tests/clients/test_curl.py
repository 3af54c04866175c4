"""The documents' cURL commands, run by a shell and a real curl."""

from __future__ import annotations

import json
import subprocess

import httpx
import pytest

from tests.clients.server_process import ServerProcess

KEYS = ["user_liked", "user_disliked"]
DOCUMENTED_URL = "https://api.smith.langchain.com/api/v1/feedback/tokens/e952734e-c0a0-417b-a04d-fc2209691ed5"

# As they stand in the official document on user feedback, but for the two apostrophes in the comment of POST, which no
# shell takes as they are.
RUN = """curl --request POST \\
--url "<DEPLOYMENT_URL>/threads/<THREAD_ID>/runs/stream" \\
--header "Content-Type: application/json" \\
--header "x-api-key: <API_KEY>" \\
--data '{
"assistant_id": "agent",
"input": {
"messages": [
{
"role": "user",
"content": "Tell me a joke about databases."
}
]
},
"stream_mode": "updates",
"feedback_keys": ["user_liked", "user_disliked"]
}'
"""
POST = """curl --request POST \\
--url "https://api.smith.langchain.com/api/v1/feedback/tokens/e952734e-c0a0-417b-a04d-fc2209691ed5" \\
--header "Content-Type: application/json" \\
--data '{
"score": 1,
"value": 0,
"comment": "I didn'"'"'t like this joke because it didn'"'"'t make me laugh.",
"correction": {},
"metadata": {}
}'
"""
GET = """curl --request GET \\
--url "https://api.smith.langchain.com/api/v1/feedback/tokens/e952734e-c0a0-417b-a04d-fc2209691ed5?score=1&value=0&comment=I%20didn%27t%20like%20this%20joke%20because%20it%20didn%27t%20make%20me%20laugh.&correction=%7B%7D"
"""


def shell(command: str) -> str:
    """Run the command and return its output; fail if it fails."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def documented_run(example: ServerProcess) -> tuple[str, dict[str, str]]:
    """Run the documented command; return the run's id and its feedback URLs."""
    thread = shell(
        f"curl --request POST --url {example.url}/threads --header 'Content-Type: application/json' -d '{{}}'"
    )
    command = RUN.replace("<DEPLOYMENT_URL>", example.url).replace("<THREAD_ID>", json.loads(thread)["thread_id"])
    events = [frame.splitlines() for frame in shell(command).split("\n\n") if "data:" in frame]
    named = {event[0].removeprefix("event: "): json.loads(event[1].removeprefix("data: ")) for event in events}
    assert list(named) == ["metadata", "updates", "feedback"]
    assert list(named["feedback"]) == KEYS
    return named["metadata"]["run_id"], named["feedback"]


@pytest.mark.parametrize("prefix", ["/api/v1", "/api", ""])
@pytest.mark.parametrize("documented", [POST, GET], ids=["POST", "GET"])
def test_documented_submissions_are_stored_and_read_back(
    example: ServerProcess, documented_run: tuple[str, dict[str, str]], documented: str, prefix: str
) -> None:
    run_id, urls = documented_run
    url = urls["user_disliked"]
    assert url.startswith(f"{example.url}/api/v1/feedback/tokens/")
    command = documented.replace(DOCUMENTED_URL, url.replace("/api/v1/", f"{prefix}/"))
    assert command.count(example.url) == 1
    shell(command.replace("curl ", "curl --fail "))
    [feedback] = httpx.get(f"{example.url}{prefix}/feedback", params={"run": run_id}, timeout=20).json()
    assert (feedback["key"], feedback["score"], feedback["value"]) == ("user_disliked", 1, 0)
    assert feedback["comment"] == "I didn't like this joke because it didn't make me laugh."
    assert feedback["correction"] in ({}, None)
    assert feedback["run_id"] == run_id
