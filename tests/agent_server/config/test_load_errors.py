"""A graph that fails to load is explained in two lines: what happened where, and the usual remedy."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from agent_server.config import Config, ConfigError
from agent_server.config.user_code import load_variable


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create an empty project; restore the import path after the test."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv("MY_MODEL_KEY", raising=False)
    return tmp_path


def failure(project: Path, code: str, **document: object) -> list[str]:
    """Return the lines of the error that a graph file with this code causes."""
    (project / "agent.py").write_text(code)
    (project / "langgraph.json").write_text(json.dumps({"graphs": {"agent": "./agent.py:graph"}, **document}))
    config = Config.load(project / "langgraph.json", {})
    with pytest.raises(ConfigError) as caught:
        load_variable("graph 'agent'", "./agent.py:graph", config)
    return str(caught.value).splitlines()


def test_missing_module_says_how_to_install_it(project: Path) -> None:
    first, hint = failure(project, "\nimport no_such_module_here\n")
    assert first.startswith("graph 'agent': agent.py:2: ModuleNotFoundError: No module named 'no_such_module_here'")
    assert hint == "Install it where this server runs: pip install no-such-module-here"


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        ({"env": "settings.env"}, "Set MY_MODEL_KEY in {project}/settings.env, or in the environment"),
        ({"env": {}}, 'Set MY_MODEL_KEY in the environment, or in a file .env and add "env": ".env"'),
        ({}, 'Set MY_MODEL_KEY in the environment, or in a file .env and add "env": ".env"'),
    ],
)
@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.environ['MY_MODEL_KEY']\n",
        "import os\nraise RuntimeError('set the MY_MODEL_KEY environment variable')\n",
    ],
)
def test_missing_variable_names_the_file_to_set(
    project: Path, code: str, document: dict[str, object], hint: str
) -> None:
    (project / "settings.env").write_text("OTHER=1\n")
    first, second = failure(project, code, **document)
    assert first.startswith("graph 'agent': agent.py:2: ")
    assert second.startswith(hint.format(project=project))


def test_dotenv_that_is_not_named_is_pointed_out(project: Path) -> None:
    (project / ".env").write_text("MY_MODEL_KEY=1\n")
    _, hint = failure(project, "import os\nos.environ['MY_MODEL_KEY']\n")
    assert hint == f'{project}/.env sets MY_MODEL_KEY, but is not read: add "env": ".env" to the configuration file'


@pytest.mark.parametrize(("folder", "named"), [("", '"."'), ("src", '"./src"')])
def test_module_beside_the_file_asks_for_a_dependency(project: Path, folder: str, named: str) -> None:
    module = f"module_{uuid4().hex}"
    (project / folder).mkdir(exist_ok=True)
    (project / folder / f"{module}.py").write_text("graph = 1\n")
    _, hint = failure(project, f"from {module} import graph\n")
    assert named in hint
    assert '"dependencies"' in hint


def test_src_layout_is_found_by_itself(project: Path) -> None:
    package = f"package_{uuid4().hex}"
    (project / "src" / package).mkdir(parents=True)
    (project / "src" / package / "__init__.py").write_text("graph = 7\n")
    (project / "agent.py").write_text(f"from {package} import graph\n")
    (project / "langgraph.json").write_text('{"dependencies": ["."], "graphs": {"agent": "./agent.py:graph"}}')
    config = Config.load(project / "langgraph.json", {})
    assert load_variable("graph 'agent'", "./agent.py:graph", config) == 7


@pytest.mark.parametrize(
    "code",
    ["from feedback import praise\n", "import feedback\nfeedback.praise()\n", "from feedback.praise import it\n"],
)
def test_module_named_feedback_is_explained(project: Path, code: str) -> None:
    (project / "feedback.py").write_text("def praise(): ...\n")
    _, hint = failure(project, code, dependencies=["."])
    assert hint.startswith("feedback is the name of a package of this server")
    assert "from my_agent.feedback import" in hint


@pytest.mark.parametrize("line", ["from .feedback import praise", "from {package}.feedback import praise"])
def test_module_feedback_in_a_package_works(project: Path, line: str) -> None:
    package = f"package_{uuid4().hex}"
    (project / package).mkdir()
    (project / package / "__init__.py").write_text("")
    (project / package / "feedback.py").write_text("def praise(): return 'well done'\n")
    (project / package / "agent.py").write_text(line.format(package=package) + "\ngraph = praise()\n")
    (project / "langgraph.json").write_text('{"dependencies": ["."]}')
    config = Config.load(project / "langgraph.json", {})
    assert load_variable("graph 'agent'", f"./{package}/agent.py:graph", config) == "well done"


def test_misspelt_variable_and_file_have_suggestions(project: Path) -> None:
    (project / "agent.py").write_text("graph = 1\n")
    config = Config(project)
    with pytest.raises(ConfigError, match=r"no variable 'grpah'\nIt has graph"):
        load_variable("graph 'agent'", "./agent.py:grpah", config)
    with pytest.raises(ConfigError, match=r"there is no file .*agnet.py\nPython files there: agent.py"):
        load_variable("graph 'agent'", "./agnet.py:graph", config)
