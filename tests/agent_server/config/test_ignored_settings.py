"""Warnings about names in `langgraph.json` that are unknown or without effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from agent_server.config import Config
from agent_server.config.ignored_settings import describe_ignored_settings, find_ignored_settings
from agent_server.config.json_schema import json_schema

ROOT = Path(__file__).parents[3]
OFFICIAL = (
    *("python_version", "node_version", "api_version", "base_image", "image_distro", "pip_config_file"),
    *("pip_installer", "source", "dockerfile_lines", "dependencies", "graphs", "env", "store", "checkpointer", "auth"),
    *("encryption", "priority", "http", "webhooks", "ui", "keep_pkg_tools"),
)
"""The top-level names of `Config` in langgraph_cli 0.4.40."""


@pytest.mark.parametrize(
    ("document", "name", "nearest"),
    [
        ({"graph": {}}, "graph", "graphs"),
        ({"evn": {}}, "evn", "env"),
        ({"dependancies": ["."]}, "dependancies", "dependencies"),
        ({"http": {"cros": {}}}, "http.cros", "cors"),
        ({"graphs": {"a": {"path": "./a.py:a", "descripton": "x"}}}, "graphs.a.descripton", "description"),
        ({"store": {"tll": {}}}, "store.tll", "ttl"),
        ({"webhooks": {"url": {"requires_https": False}}}, "webhooks.url.requires_https", "require_https"),
        ({"auth": {"path": "./a.py:a", "open_api": {}}}, "auth.open_api", "openapi"),
    ],
)
def test_unknown_name_is_named_with_the_nearest(document: dict[str, Any], name: str, nearest: str) -> None:
    [found] = find_ignored_settings(document)
    assert (found.name, found.unknown) == (name, True)
    assert str(found).endswith(f"did you mean {nearest}?")


def test_unlike_any_name_has_no_suggestion() -> None:
    assert describe_ignored_settings({"zzz": 1}) == ("zzz has no effect: this server does not know it",)


def test_image_settings_share_one_sentence() -> None:
    document = {"python_version": "3.12", "graphs": {}, "dockerfile_lines": [], "image_distro": "wolfi"}
    assert describe_ignored_settings(document) == (
        "python_version, dockerfile_lines, image_distro has no effect: only the building of an image needs it",
    )


def test_every_official_name_is_known() -> None:
    assert set(OFFICIAL) <= json_schema()["properties"].keys()


def test_schema_takes_the_files_of_this_project() -> None:
    jsonschema_rs.meta.validate(json_schema())
    validator = jsonschema_rs.Draft7Validator(json_schema())
    for file in (ROOT / "examples" / "langgraph.json", ROOT / "tests" / "clients" / "langgraph.json"):
        validator.validate(json.loads(file.read_text()))


@pytest.mark.parametrize("wrong", [{"graphs": {"a": "nowhere"}}, {"graph": {}}, {"http": {"disable_runs": 1}}])
def test_schema_refuses_what_the_server_refuses(wrong: dict[str, Any]) -> None:
    assert not jsonschema_rs.Draft7Validator(json_schema()).is_valid(wrong)


def test_schema_reference_of_an_editor_is_known(tmp_path: Path) -> None:
    (tmp_path / "langgraph.json").write_text('{"$schema": "./langgraph.schema.json", "graphs": {}}')
    assert Config.load(tmp_path / "langgraph.json", {}).unheeded == ()
