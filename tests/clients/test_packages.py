"""The packages that users install: the wheel, and the browser files for npm."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.agent_server.cli.dev_process import dev
from tests.clients.server_process import ROOT

pytestmark = pytest.mark.timeout(180)
PACKAGES = ("agent_server", "feedback")
DEMO = ("langgraph.json", "chat.py", "plain.py", "web.py", "chat/index.html", "chat/chat.js")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as `pip` does."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", directory, ROOT], check=True, timeout=120)
    return next(directory.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program directory of an environment with the wheel and the tests' dependencies."""
    directory = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True, timeout=120)
    python = directory / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, wheel], check=True, timeout=120)
    [site] = (directory / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return directory / "bin"


def test_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert {f"agent_server/demo/{name}" for name in DEMO} <= names
    tracked = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert tracked - names == set()
    [metadata] = [name for name in names if name.endswith("/METADATA")]
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    assert "Classifier: Development Status" in text
    assert "Classifier: Typing :: Typed" in text
    assert re.search(r"^Author", text, re.MULTILINE)


def test_demo_is_served_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    program = [str(installed / "agent-server"), "demo", "--port", "0", "--data-dir", str(tmp_path / "data")]
    with dev(tmp_path, program=program, PYTHONPATH="") as server:
        url = server.url
        for path in ("/", "/chat/chat.js", "/feedback/ui", "/feedback/feedback-buttons.js", "/docs", "/openapi.json"):
            assert httpx.get(f"{url}{path}").status_code == 200, path
        body = {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "Hi"}]}}
        ended = httpx.post(f"{url}/runs/wait", json={**body, "feedback_keys": ["liked"]}, timeout=60).json()
        assert httpx.post(ended["__feedback__"]["liked"], json={"score": 1}).status_code == 200
    assert (tmp_path / "data" / "runs.db").exists()


def test_new_project_works_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    where = [
        installed / "python",
        "-c",
        "import agent_server, feedback; print(agent_server.__file__, feedback.__file__)",
    ]
    files = subprocess.run(where, cwd=tmp_path, env=environ, check=True, capture_output=True, text=True).stdout
    assert files.count("site-packages") == 2
    assert str(ROOT) not in files
    for arguments, directory in ((["new", "project"], tmp_path), (["check"], tmp_path / "project")):
        done = subprocess.run(
            [installed / "agent-server", *arguments], cwd=directory, env=environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert "ok     graph 'agent' (LangGraph)" in done.stdout
    assert "ok     http.app" in done.stdout
    program = [str(installed / "agent-server"), "dev", "--port", "0"]  # as `uvx --from <wheel> agent-server dev`
    with dev(tmp_path / "project", program=program, PYTHONPATH="") as server:
        for path in ("/ok", "/docs/swagger-ui-bundle.js", "/feedback/ui/vendor/uPlot.iife.min.js"):
            assert httpx.get(f"{server.url}{path}").status_code == 200, path


@pytest.fixture(scope="module")
def npm_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a project that has installed the npm package from its archive."""
    directory = tmp_path_factory.mktemp("npm")
    pack = [sys.executable, ROOT / ".ci" / "npm_pack.py", directory / "dist"]
    subprocess.run(pack, check=True, timeout=120)
    [archive] = (directory / "dist").glob("*.tgz")
    (directory / "package.json").write_text('{"type": "module", "private": true}')
    install = ["npm", "install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", archive]
    subprocess.run(install, cwd=directory, check=True, timeout=120)
    return directory


def test_npm_package_is_importable_on_a_server(npm_project: Path) -> None:
    """Next.js, Remix and Nuxt import components on the server, too, where `HTMLElement` does not exist."""
    (npm_project / "page.js").write_text("""
        import { streamRun } from "@agent-server/feedback";
        import { FeedbackButtons } from "@agent-server/feedback/buttons";
        import { assistantUiFeedback } from "@agent-server/feedback/adapters";
        console.log(typeof streamRun, typeof FeedbackButtons, typeof assistantUiFeedback);
    """)
    done = subprocess.run(["node", "page.js"], cwd=npm_project, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["function"] * 3


def test_npm_package_has_its_version_and_types(npm_project: Path) -> None:
    package = npm_project / "node_modules" / "@agent-server" / "feedback"
    manifest = json.loads((package / "package.json").read_text())
    for one in manifest["exports"].values():
        for file in one.values() if isinstance(one, dict) else [one]:
            assert (package / file).is_file(), file
    for file in package.glob("*.js"):
        assert file.read_text().startswith(f"/*! @agent-server/feedback {manifest['version']}")
    (npm_project / "page.ts").write_text("""
        import { streamRun } from "@agent-server/feedback";
        import { FeedbackButtons } from "@agent-server/feedback/buttons";
        const run: AsyncGenerator = streamRun({ url: "http://x", assistantId: "agent", input: {} });
        const tag: typeof FeedbackButtons | undefined = undefined;
        console.log(run, tag);
    """)
    tsc = ROOT / "tests" / "clients" / "js" / "node_modules" / "typescript" / "bin" / "tsc"
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable"]
    done = subprocess.run(
        [shutil.which("node") or "node", tsc, *options, "page.ts"],
        cwd=npm_project,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
