"""A graph's factory knows the request's user in every operation: running, reading, drawing and describing."""

from __future__ import annotations

from pathlib import Path

from agent_server.config import AuthSettings, Graph
from tests.agent_server.access.test_auth_users import ANNA, RULES
from tests.agent_server.api import serving

FACTORY = """
from pathlib import Path
from langgraph_sdk.runtime import ServerRuntime
from tests.agent_server.graphs import doubling

def make(config, runtime: ServerRuntime):
    assert config["configurable"]["langgraph_auth_user"].identity == runtime.ensure_user().identity
    with (Path(__file__).parent / "seen").open("a") as seen:
        print(runtime.access_context, runtime.user.identity, file=seen)
    return doubling
"""


async def test_factory_knows_the_user_in_every_context(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(FACTORY)
    graphs = {"made": Graph("./made.py:make")}

    def lines() -> list[str]:
        return (tmp_path / "seen").read_text().splitlines()

    async with serving(sqlite_url, tmp_path, auth=AuthSettings(RULES), graphs=graphs) as api:
        assistant = (await api.send("POST", "/assistants", {"graph_id": "made"}, **ANNA)).json()["assistant_id"]
        thread = (await api.send("POST", "/threads", {}, **ANNA)).json()["thread_id"]
        run = {"assistant_id": "made", "input": {"x": 1}}
        for method, path, body, context in (
            ("POST", f"/threads/{thread}/runs/wait", run, "threads.create_run"),
            ("GET", f"/threads/{thread}/state", None, "threads.read"),
            ("POST", f"/threads/{thread}/history", {}, "threads.read"),
            ("POST", f"/threads/{thread}/state", {"values": {"x": 1}}, "threads.update"),
            ("POST", f"/threads/{thread}/copy", None, None),
            ("GET", f"/assistants/{assistant}/graph", None, "assistants.read"),
            ("GET", f"/assistants/{assistant}/schemas", None, "assistants.read"),
            ("GET", f"/assistants/{assistant}/subgraphs", None, "assistants.read"),
        ):
            before = len(lines()) if (tmp_path / "seen").exists() else 0
            response = await api.send(method, path, body, **ANNA)
            assert response.status_code == 200, response.text
            new = lines()[before:]
            assert new[:1] == ([f"{context} anna"] if context else [])
            assert {line.rpartition(" ")[2] for line in new} <= {"anna"}


AUTH = """
from langgraph_sdk import Auth
from starlette.requests import Request

auth = Auth()

@auth.authenticate
async def authenticate(request: Request, body: dict | None = None, query_params=None, tenant: str = "none"):
    named = (await request.json())["who"] if request.method == "POST" else query_params["who"]
    assert body is None or body["who"] == named
    return {"identity": f"{named} at {request.url.path} of {request.cookies.get('shop')} {tenant}"}

@auth.on.threads
async def mine(ctx, value):
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
"""


async def test_authenticate_gets_starlettes_request(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "auth.py").write_text(AUTH)
    async with serving(sqlite_url, tmp_path, auth=AuthSettings("./auth.py:auth")) as api:
        made = await api.send("POST", "/threads", {"who": "ada", "metadata": {}}, cookie="shop=books")
        assert made.json()["metadata"]["owner"] == "ada at /threads of books none"
        assert (await api.send("GET", f"/threads/{made.json()['thread_id']}?who=ada")).status_code == 200
