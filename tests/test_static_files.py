"""Files that browsers load: each has one character set, and third-party files are those of the vendor list."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

from litestar.routes import HTTPRoute
from litestar.testing import AsyncTestClient

from agent_server.composition import build
from agent_server.config import Config

ROOT = Path(__file__).parents[1]
KINDS = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "ts": "text/plain; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "svg": "image/svg+xml",
}


async def test_every_file_has_one_character_set(tmp_path: Path) -> None:
    config = Config.load(ROOT / "examples" / "langgraph.json", {"AGENT_SERVER_DATA_DIR": str(tmp_path)})
    app = build(config)
    paths = {route.path for route in app.routes if isinstance(route, HTTPRoute)}
    files = {path for path in paths if path.rpartition(".")[2] in KINDS} | {"/chat/chat.js", "/chat/chat.css"}
    assert len(files) > 40
    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:
        for path in files:
            response = await client.get(path)
            assert response.status_code == 200, path
            assert response.headers["content-type"] == KINDS[path.rpartition(".")[2]], path
        for page in ("/docs", "/feedback/ui", "/"):
            assert (await client.get(page)).headers["content-type"] == "text/html; charset=utf-8"


def test_vendored_files_are_the_listed_ones() -> None:
    listed = tomllib.loads((ROOT / ".ci" / "vendor.toml").read_text(encoding="utf-8"))
    expected = {
        f"{package['into']}/{name}-{package['version']}/{Path(path).name}": digest
        for name, package in listed.items()
        for path, digest in package["files"].items()
    }
    folders = {Path(path).parent.parent for path in expected}
    found = {
        str(file.relative_to(ROOT)): hashlib.sha256(file.read_bytes()).hexdigest()
        for folder in folders
        for file in (ROOT / folder).rglob("*")
        if file.is_file()
    }
    assert found == expected
