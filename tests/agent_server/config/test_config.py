"""The configuration: a file, overridden by the environment, and the messages about mistakes."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from agent_server.config import (
    VARIABLES,
    Config,
    ConfigError,
    CorsRules,
    Graph,
    Http,
    ThreadTtlDefaults,
)
from agent_server.config.configurable_headers import HeaderRules
from agent_server.config.webhooks import WebhookPolicy


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_file(document: Any) -> Path:
        path = tmp_path / "langgraph.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return write_file


def test_empty_environment_serves_from_a_subdirectory() -> None:
    config = Config.load(None, {})
    assert (config.host, config.port, config.jobs) == ("127.0.0.1", 2024, 100)
    assert config.data_dir == Path.cwd() / ".agent_server"
    assert config.database_url is None


def test_file_names_graphs_dependencies_and_variables(write: Any, tmp_path: Path) -> None:
    path = write(
        {
            "dependencies": [".", "some-package"],
            "graphs": {"a": "./a.py:graph", "b": {"path": "pack.age:make", "description": "Makes"}},
            "env": {"KEY": "value", "NUMBER": 3},
            "http": {"cors": {"allow_origins": ["https://example.com"]}},
        }
    )
    config = Config.load(path, {})
    assert config.directory == tmp_path
    assert config.graphs == {"a": Graph("./a.py:graph"), "b": Graph("pack.age:make", "Makes")}
    assert config.dependencies == (".", "some-package")
    assert config.env == {"KEY": "value", "NUMBER": "3"}
    assert config.cors_origins == ("https://example.com",)
    assert config.data_dir == tmp_path / ".agent_server"


def test_env_may_be_the_path_of_a_file(write: Any, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# comment\nexport A=1\nB = 'two # 2' \nC=three # 3\n\nD=\"4\"\nnot a line\n")
    config = Config.load(write({"env": ".env"}), {})
    assert config.env == {"A": "1", "B": "two # 2", "C": "three", "D": "4"}


def test_environment_overrides_the_file_and_empty_is_unset(write: Any, tmp_path: Path) -> None:
    path = write({"http": {"cors": {"allow_origins": ["*"]}}})
    environ = {
        "AGENT_SERVER_DATA_DIR": str(tmp_path / "elsewhere"),
        "DATABASE_URL": "postgresql://user:secret@host/name",
        "AGENT_SERVER_PORT": "8123",
        "AGENT_SERVER_PUBLIC_URL": "https://example.com/",
        "AGENT_SERVER_TRUST_FORWARDED": "true",
        "AGENT_SERVER_MINT_TIMEOUT": "60",
        "AGENT_SERVER_CORS_ORIGINS": "https://a.example, https://b.example",
        "AGENT_SERVER_JOBS": "",
    }
    config = Config.load(path, environ)
    assert config.data_dir == tmp_path / "elsewhere"
    assert config.database_url == "postgresql://user:secret@host/name"
    assert (config.port, config.jobs) == (8123, 100)
    assert config.public_url == "https://example.com"
    assert config.trust_forwarded is True
    assert config.mint_timeout == 60.0
    assert config.cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("AGENT_SERVER_PORT", "eighty", "a whole number from 0 to 65535"),
        ("AGENT_SERVER_PORT", "70000", "a whole number from 0 to 65535"),
        ("AGENT_SERVER_TRUST_FORWARDED", "maybe", "true or false"),
        ("AGENT_SERVER_MINT_TIMEOUT", "-1", "a number of seconds greater than 0"),
        ("AGENT_SERVER_MINT_TIMEOUT", "nan", "a number of seconds greater than 0"),
        ("AGENT_SERVER_LOG_FORMAT", "xml", "console or json"),
        ("AGENT_SERVER_PUBLIC_URL", "example.com", "http or https"),
    ],
)
def test_wrong_variable_is_reported_with_the_right_form(name: str, value: str, right: str) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        Config.load(None, {name: value})
    assert value[:8] in str(caught.value)
    assert right in str(caught.value)


def test_wrong_database_url_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL starts with 'mysql'") as caught:
        Config.load(None, {"DATABASE_URL": "mysql://user:secret@host/name"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "cannot be read as JSON"),
        ([], "must hold a JSON object"),
        ({"graphs": []}, "graphs is "),
        ({"graphs": {"a": "./a.py"}}, "graphs.a is './a.py'; it must name a file or module and a variable"),
        ({"graphs": {"a": {"description": "x"}}}, "graphs.a.path is missing; it must name a file or module and"),
        ({"graphs": {"a": {"path": "a:b", "description": 1}}}, "graphs.a.description is 1"),
        ({"dependencies": "."}, "dependencies is '.'; it must be a list of strings"),
        ({"env": 3}, "env is 3"),
        ({"env": "missing.env"}, "missing.env"),
        ({"http": []}, "http is []"),
        ({"http": {"cors": {"allow_origins": "*"}}}, "http.cors.allow_origins"),
        ({"http": {"cors": {"allow_origin_regex": "["}}}, "http.cors.allow_origin_regex is '[', which is no regular"),
        ({"http": {"cors": {"max_age": -1}}}, "http.cors.max_age is -1; it must be a whole number from 0 on"),
        ({"http": {"cors": {"allow_credentials": "yes"}}}, "http.cors.allow_credentials is 'yes'"),
        ({"http": {"cors": {"alow_origins": []}}}, "http.cors has 'alow_origins'; it may have allow_origins"),
        ({"http": {"app": "./web.py"}}, "http.app is './web.py'; it must name a file or module and a variable"),
        ({"http": {"mount_prefix": "agents"}}, "http.mount_prefix is 'agents'; it must be a path like '/agents'"),
        ({"http": {"disable_runs": "true"}}, "http.disable_runs is 'true'; it must be true or false"),
        ({"http": {"disable_webhooks": 1}}, "http.disable_webhooks is 1; it must be true or false"),
        ({"http": {"enable_custom_route_auth": 1}}, "http.enable_custom_route_auth is 1; it must be true or false"),
        ({"http": {"configurable_headers": ["x-a"]}}, "http.configurable_headers is ['x-a']; it must be an object"),
        ({"http": {"configurable_headers": {"includes": "x-a"}}}, "http.configurable_headers.includes is 'x-a'"),
        ({"http": {"configurable_headers": {"only": []}}}, "http.configurable_headers has 'only'; it may have"),
        ({"checkpointer": {"path": "./mine.py:saver"}}, "checkpointer.path names a checkpointer"),
        ({"checkpointer": {"backend": "mongo"}}, "checkpointer.backend names a checkpointer"),
        ({"checkpointer": {"ttl": {"default_ttl": 0}}}, "checkpointer.ttl.default_ttl is 0"),
        (
            {"checkpointer": {"ttl": {"strategy": "archive"}}},
            "checkpointer.ttl.strategy is 'archive'; it must be delete",
        ),
        ({"checkpointer": {"ttl": {"defaultTtl": 5}}}, "checkpointer.ttl has 'defaultTtl'; it may have default_ttl"),
        ({"store": {"path": "./store.py"}}, "store.path is './store.py'; it must name a file or module and a variable"),
        ({"store": {"path": "a:b", "ttl": {"default_ttl": 1}}}, "store.ttl is for this server's own store"),
        ({"store": {"index": {}}}, "store.index.dims is missing; it must be a whole number from 1 on"),
        ({"store": {"index": {"dims": 3, "embed": "e"}}}, "store.index.embed is 'e'; it must name a function"),
        ({"webhooks": {"url": {"allowed_ports": ["x"]}}}, "webhooks.url.allowed_ports is ['x']; it must be a list of"),
        ({"encryption": {"path": "./e.py:e"}}, "encryption is not supported"),
    ],
)
def test_wrong_file_is_explained(write: Any, document: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.load(write(document), {})
    assert message in str(caught.value)


def test_null_is_unset_except_in_free_objects(write: Any) -> None:
    url = {"allowed_domains": None, "allowed_ports": None, "require_https": None}
    openapi = {"security": None}
    document = {"webhooks": {"url": url, "headers": None}, "auth": {"path": "./a.py:auth", "openapi": openapi}}
    config = Config.load(write(document), {})
    assert config.webhooks == WebhookPolicy()
    assert config.auth is not None
    assert config.auth.openapi == openapi


def test_file_sets_http_and_threads(write: Any) -> None:
    http = {
        "app": "./web.py:app",
        "mount_prefix": "/agents/",
        "disable_store": True,
        "disable_meta": True,
        "disable_runs": False,
        "disable_webhooks": True,
        "cors": {"allow_origin_regex": "https://.*", "allow_methods": ["GET"], "max_age": 0},
        "configurable_headers": {"includes": ["x-a", "b-*"], "exclude": ["b-c"]},
        "enable_custom_route_auth": True,
        "middleware_order": "middleware_first",
    }
    ttl = {"strategy": "keep_latest", "default_ttl": 60, "sweep_interval_minutes": None, "sweep_limit": 7}
    config = Config.load(write({"http": http, "checkpointer": {"ttl": ttl}}), {})
    assert config.http == Http(
        app="./web.py:app",
        disabled=frozenset({"store", "meta"}),
        mount_prefix="/agents",
        cors=CorsRules(origin_pattern="https://.*", methods=("GET",), max_age=0),
        configurable_headers=HeaderRules(("x-a", "b-*"), ("b-c",)),
        custom_route_auth=True,
    )
    assert config.cors_origins == ()
    assert config.webhooks.disabled
    assert config.thread_ttl == ThreadTtlDefaults(default_ttl=60, strategy="keep_latest", sweep_limit=7)
    assert config.unheeded == ()


def test_settings_without_effect_are_reported(write: Any) -> None:
    http = {
        "logging_headers": {"includes": ["a"]},
        "middleware_order": "auth_first",
        "disable_mcp": True,
        "something_new": 1,
    }
    config = Config.load(write({"http": http, "ui": {"a": "./a.tsx"}, "checkpointer": {"serde": {}}}), {})
    assert config.unheeded == (
        "http.logging_headers has no effect: no header is logged here",
        "http.middleware_order has no effect: the app's middleware sees a request before it is authenticated",
        "http.something_new has no effect: this server does not know it",
        "ui has no effect: no components are served",
    )


def test_variable_disables_groups_beside_the_file(write: Any) -> None:
    file = write({"http": {"disable_store": True, "disable_mcp": False}})
    assert Config.load(file, {"AGENT_SERVER_DISABLED": "mcp, a2a"}).http.disabled == {"store", "mcp", "a2a"}
    with pytest.raises(ConfigError, match="AGENT_SERVER_DISABLED has 'mpc'; it may have"):
        Config.load(file, {"AGENT_SERVER_DISABLED": "mpc"})


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"langgraph\.json: there is no such file"):
        Config.load(tmp_path / "langgraph.json", {})


def test_printed_config_hides_the_secret() -> None:
    shown = repr(Config.load(None, {"AGENT_SERVER_FEEDBACK_SECRET": "hush", "DATABASE_URL": "postgres://u:hush@h/d"}))
    assert "hush" not in shown


def test_every_variable_stands_for_a_setting() -> None:
    settings = {one.name for one in fields(Config)}
    assert {setting for setting, _, _ in VARIABLES.values()} == settings - {
        "auth",
        "directory",
        "graphs",
        "dependencies",
        "env",
        "env_file",
        "environ",
        "store_index",
        "store_path",
        "store_ttl",
        "thread_ttl",
        "serde",
        "http",
        "webhooks",
        "unheeded",
    }
