"""The documents' snippets run as a newcomer pastes them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.clients.server_process import ServerProcess

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "agent_server" / "README.md", ROOT / "feedback" / "README.md"]
JS = Path(__file__).parent / "js"


def snippets(language: str) -> list[str]:
    """Return all snippets in this language, each once."""
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    return list(dict.fromkeys(re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)))


def snippet(language: str, mark: str) -> str:
    """Return the only snippet in this language that contains `mark`."""
    (found,) = [text for text in snippets(language) if mark in text]
    return found


def run(command: list[str], server: ServerProcess, **options: object) -> str:
    """Run the command with the test server's address in its snippet and return its output."""
    pointed = [part.replace("http://127.0.0.1:2024", server.url) for part in command]
    done = subprocess.run(pointed, capture_output=True, text=True, timeout=50, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def urls_in(text: str, server: ServerProcess) -> list[str]:
    return re.findall(rf"{server.url}/api/v1/feedback/tokens/[0-9a-f-]{{36}}", text)


def test_python_snippet_streams_and_prints_feedback_urls(example: ServerProcess) -> None:
    for client in ("get_client", "get_sync_client"):
        printed = run([sys.executable, "-c", snippet("python", f"import {client}\n")], example)
        assert "'answer'" in printed
        assert len(urls_in(printed, example)) == 2


def test_javascript_snippet_streams_and_prints_feedback_urls(example: ServerProcess) -> None:
    printed = run(["node", "--input-type=module", "-e", snippet("javascript", "runs.stream(")], example, cwd=JS)
    assert len(urls_in(printed, example)) == 2


def test_langsmith_snippet_submits_and_reads_back(example: ServerProcess) -> None:
    printed = run([sys.executable, "-c", snippet("python", "create_feedback_from_token")], example)
    assert "user_score 1 Made me laugh." in printed.splitlines()


def test_curl_snippets_run_an_agent_and_answer(example: ServerProcess) -> None:
    printed = run(["bash", "-c", snippet("bash", "curl -N")], example)
    url = urls_in(printed, example)[0]
    output = run(["bash", "-c", snippet("bash", '"$FEEDBACK_URL"')], example, env={"FEEDBACK_URL": url})
    statuses = [json.loads(body)["status"] for body in re.findall(r"\{.*?\}", output)]
    assert statuses == ["created", "created"]


def test_code_snippet_makes_an_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(snippet("python", "create_app("), names)
    assert type(names["app"]).__name__ == "Litestar"


def test_first_agent_of_the_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(snippet("python", "async def agent("))
    (tmp_path / "langgraph.json").write_text(snippet("json", '"graphs"'))
    (tmp_path / ".env").write_text("OPENAI_API_KEY=unused\n")
    with ServerProcess(tmp_path / "langgraph.json", tmp_path) as server:
        body = {"assistant_id": "agent", "input": {"text": "one two"}, "feedback_keys": ["user_score"]}
        result = httpx.post(f"{server.url}/runs/wait", json=body, timeout=30).json()
    assert list(result["__feedback__"]) == ["user_score"]
