"""API keys: how they are stored, when a revoked one stops working, and which requests need none."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar import Request

from agent_server.access.api_keys import ApiKeys
from agent_server.access.key_auth import ApiKeyAuth
from agent_server.access.key_cache import FRESH_SECONDS, ApiKeyCache
from agent_server.access.page_origins import PageOrigins
from agent_server.config import Config, ConfigError
from agent_server.config.api_keys import USUAL, ConfiguredKey, hash_key, parse_api_keys
from agent_server.database import Database
from agent_server.errors import Conflict, Forbidden, NotFound, TooMany, Unauthorized

LONG = "a-key-of-sixteen-or-more"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def keys(database: Database) -> ApiKeys:
    await database.migrate("agent_server")
    return ApiKeys(database)


def request(server: tuple[str, int | None] | None = ("127.0.0.1", 2024), **headers: str) -> Request[Any, Any, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: Any = {"type": "http", "headers": named, "server": server, "state": {}}
    return Request(scope)


async def test_only_the_hash_of_a_key_is_kept(keys: ApiKeys, database: Database) -> None:
    key, made = await keys.create("web", {"run"}, None)
    rows = await database.read(lambda c: c.all("SELECT * FROM api_keys"))
    assert rows[0]["hash"] == hash_key(key)
    assert key not in str(rows)
    assert (made.name, made.scopes, made.ending, made.expires_at, made.revoked_at) == (
        "web", ["run"], key[-4:], None, None,
    )  # fmt: skip
    assert await keys.list_keys() == [made]


def auth_of(keys: ApiKeyCache, **settings: Any) -> ApiKeyAuth:
    """Return the authentication of a server with these API keys and settings."""
    return ApiKeyAuth(keys, Config(Path.cwd(), **settings), PageOrigins())


async def test_scopes_limit_keys_and_admin_allows_all(keys: ApiKeys) -> None:
    key_auth = auth_of(ApiKeyCache(keys))
    run, _ = await keys.create("run", {"run"}, None)
    admin, _ = await keys.create("admin", {"admin"}, None)
    assert await key_auth.check(request(x_api_key=run), "run")
    assert await key_auth.check(request(authorization=f"bearer {run}"), None)
    with pytest.raises(Forbidden, match="lacks the scope 'feedback-read'"):
        await key_auth.check(request(x_api_key=run), "feedback-read")
    assert await key_auth.check(request(authorization=f"Bearer {admin}"), "feedback-read")


@pytest.mark.parametrize("headers", [{}, {"x_api_key": "as_wrong"}, {"authorization": "Basic abc"}])
async def test_requests_without_a_known_key_are_refused(keys: ApiKeys, headers: dict[str, str]) -> None:
    await keys.create("web", {"run"}, None)
    with pytest.raises(Unauthorized, match="API key") as refused:
        await auth_of(ApiKeyCache(keys), allow_anyone=True).check(request(**headers))
    assert "as_wrong" not in str(refused.value)


async def test_revoked_key_fails_and_leaves_the_server_closed(keys: ApiKeys) -> None:
    clock = Clock()
    key_auth = auth_of(ApiKeyCache(keys, clock=clock))
    key, made = await keys.create("web", {"run"}, None)
    assert await key_auth.check(request(x_api_key=key))
    revoked = await keys.revoke("web")
    assert (revoked.key_id, revoked.revoked_at is not None) == (made.key_id, True)
    clock.now += FRESH_SECONDS
    for headers in ({"x_api_key": key}, {}):
        with pytest.raises(Unauthorized):
            await key_auth.check(request(**headers))


async def test_first_key_closes_an_open_server_within_seconds(keys: ApiKeys) -> None:
    clock = Clock()
    key_auth = auth_of(ApiKeyCache(keys, clock=clock))
    assert not await key_auth.check(request())
    await keys.create("web", {"run"}, None)
    clock.now += FRESH_SECONDS
    with pytest.raises(Unauthorized):
        await key_auth.check(request())


async def test_expired_key_opens_nothing(keys: ApiKeys, database: Database) -> None:
    key, made = await keys.create("web", {"run"}, timedelta(days=1))
    assert made.expires_at is not None
    found = await ApiKeyCache(keys).find(key)
    assert (found and found.scopes, found and found.project) == ({"run"}, None)
    await database.write(lambda c: c.execute("UPDATE api_keys SET expires_at = now_us()"))
    assert await ApiKeyCache(keys).find(key) is None


async def test_key_is_revoked_by_id_or_unique_name(keys: ApiKeys) -> None:
    _, first = await keys.create("web", {"run"}, None)
    await keys.create("web", {"run"}, None)
    with pytest.raises(Conflict, match="say which by its id"):
        await keys.revoke("web")
    with pytest.raises(NotFound, match="keys list"):
        await keys.revoke("nobody")
    assert (await keys.revoke(first.key_id)).revoked_at == (await keys.revoke(first.key_id)).revoked_at


async def test_configured_keys_count_beside_stored_ones(keys: ApiKeys) -> None:
    hashed = hash_key("another-key-of-sixteen")
    known = ApiKeyCache(keys, parse_api_keys(f"{LONG}, sha256:{hashed}:admin"))
    found = [await known.find(key) for key in (LONG, "another-key-of-sixteen")]
    assert [one and one.scopes for one in found] == [USUAL, {"admin"}]
    assert await known.are_set()


def test_configuration_does_not_show_the_keys() -> None:
    config = Config.load(None, {"AGENT_SERVER_API_KEYS": f"{LONG}:run+feedback-read"})
    assert config.api_keys == (ConfiguredKey(hash_key(LONG), frozenset({"run", "feedback-read"})),)
    assert LONG not in repr(config)
    assert hash_key(LONG) not in repr(config)


async def test_key_is_bound_by_command_and_by_environment(keys: ApiKeys) -> None:
    key, made = await keys.create("shop", {"feedback-mint"}, None, "shop")
    given = f"{LONG}:feedback-read+run@blog,{LONG}2:@blog,{LONG}@3"
    known = ApiKeyCache(keys, parse_api_keys(given))
    found = [await known.find(one) for one in (key, LONG, f"{LONG}2", f"{LONG}@3")]
    assert [(one.scopes, one.project) for one in found if one] == [
        ({"feedback-mint"}, "shop"), ({"feedback-read", "run"}, "blog"), (USUAL, "blog"), (USUAL, None),
    ]  # fmt: skip
    assert (made.project, [one.project for one in await keys.list_keys()]) == ("shop", ["shop"])


async def test_write_scope_includes_minting_but_not_the_reverse(keys: ApiKeys) -> None:
    key_auth = auth_of(ApiKeyCache(keys))
    writer, _ = await keys.create("writer", {"feedback-write"}, None)
    minter, _ = await keys.create("minter", {"feedback-mint"}, None)
    for key in (writer, minter):
        assert await key_auth.check(request(x_api_key=key), "feedback-mint")
    for scope in ("run", "feedback-read", "feedback-write", "admin"):
        with pytest.raises(Forbidden, match=f"lacks the scope '{scope}'"):
            await key_auth.check(request(x_api_key=minter), scope)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{LONG}:run@Shop", "entry 1 has no project's name"),
        ("short", "entry 1 is shorter than 16 characters"),
        (f"{LONG},{LONG}:secret-scope", "entry 2 has an unknown scope; the scopes are run, feedback-read"),
        ("sha256:12345678901234567890", "no SHA-256"),
    ],
)
def test_wrong_configured_key_is_reported_without_quoting_it(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        Config.load(None, {"AGENT_SERVER_API_KEYS": text})
    assert not any(part in str(refused.value) for part in ("'short'", LONG, "secret-scope", "1234567890"))


@pytest.mark.parametrize(
    ("server", "host"),
    [
        (("127.0.0.1", 2024), "localhost:2024"),
        (("127.0.0.1", 2024), "127.0.0.1:2024"),
        (("::1", 2024), "[::1]:2024"),
        (("::ffff:127.0.0.1", 2024), "agent.localhost"),
        (("127.0.0.1", 2024), "public.example"),
    ],
)
async def test_without_keys_this_machine_comes_in(keys: ApiKeys, server: tuple[str, int], host: str) -> None:
    key_auth = auth_of(ApiKeyCache(keys), public_url="https://public.example/agents")
    assert not await key_auth.check(request(server, host=host, x_api_key="whatever-clients-send"), "admin")


@pytest.mark.parametrize("server", [("10.0.0.5", 2024), ("0.0.0.0", 2024), ("/run/socket", None), None])
async def test_without_keys_other_machines_do_not_come_in(keys: ApiKeys, server: tuple[str, int | None] | None) -> None:
    with pytest.raises(Unauthorized, match="serves only a loopback address"):
        await auth_of(ApiKeyCache(keys)).check(request(server, host="localhost"))
    assert not await auth_of(ApiKeyCache(keys), allow_anyone=True).check(request(server, host="anything.example"))


@pytest.mark.parametrize("host", ["rebound.example", "127.0.0.1.rebound.example:2024", "localhost.example", "[::1"])
async def test_named_page_is_refused_without_keys(keys: ApiKeys, host: str) -> None:
    with pytest.raises(Forbidden, match="Host header"):
        await auth_of(ApiKeyCache(keys)).check(request(host=host))


async def test_key_cache_reads_the_database_rarely(keys: ApiKeys) -> None:
    reads = 0

    class Counted(ApiKeys):
        async def load_stored_keys(self) -> Any:
            nonlocal reads
            reads += 1
            return await keys.load_stored_keys()

    key, _ = await keys.create("web", {"run"}, None)
    key_auth = auth_of(ApiKeyCache(Counted(None), clock=Clock()))  # type: ignore[arg-type]
    for _ in range(100):
        assert await key_auth.check(request(x_api_key=key))
        with pytest.raises((Unauthorized, TooMany)):
            await key_auth.check(request(x_api_key="as_wrong"))
    assert reads == 1


def test_uuid_is_no_projects_name() -> None:
    with pytest.raises(ValueError, match="has no project's name"):
        parse_api_keys("a-key-of-some-length:run@018f0000-0000-7000-8000-000000000001")
