"""The official Agent Server, started as its users start it, in its own environment."""

from __future__ import annotations

import json
from pathlib import Path

from tests.clients.server_process import GRAPHS, ROOT, ServerProcess

OFFICIAL = ROOT / ".venv-official" / "bin" / "langgraph"


class OfficialServer(ServerProcess):
    """`langgraph dev` with the tests' own graphs; its `LANGSMITH_ENDPOINT` is `endpoint`."""

    def __init__(self, directory: Path, endpoint: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "langgraph.json"
        super().__init__(config, directory)
        graphs = json.loads(GRAPHS.read_text())["graphs"]
        here = {name: str(GRAPHS.parent / spec) for name, spec in graphs.items()}
        config.write_text(json.dumps({"dependencies": ["."], "graphs": here}))
        self._folder = directory
        self._environ = {
            "LANGSMITH_ENDPOINT": endpoint,
            "LANGSMITH_API_KEY": "any",
            "LANGSMITH_TRACING": "false",
            "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        }

    def _command(self) -> list[str]:
        options = ["--no-browser", "--no-reload", "--n-jobs-per-worker", "10"]
        return [str(OFFICIAL), "dev", "--config", str(self._config), "--port", str(self.port), *options]
