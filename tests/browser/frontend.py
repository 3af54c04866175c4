"""The frontend examples as a user builds them, with the modules that they fetch from the server."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "tests" / "clients" / "js" / "node_modules"
EXAMPLES = ("react", "assistant-ui", "copilotkit")
COMPILER_OPTIONS = {
    "strict": True,
    "noEmit": True,
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2023", "dom", "dom.iterable", "dom.asynciterable"],
    "jsx": "react-jsx",
    "types": [],
}


@dataclass
class Frontend:
    """A folder with the examples, their packages, and the modules of the package's `web` folder."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "node_modules").symlink_to(MODULES)
        for example in EXAMPLES:
            shutil.copytree(ROOT / "examples" / example, self.folder / example)
            (self.folder / example / "feedback").mkdir()
            for pattern in ("feedback-*.*s", "workflowai-*.*s"):
                for module in (ROOT / "feedback" / "web").glob(pattern):
                    shutil.copy(module, self.folder / example / "feedback")

    def wrong_types(self) -> str:
        """Return TypeScript's errors in the examples and the declarations, with `skipLibCheck` off."""
        options = {"compilerOptions": COMPILER_OPTIONS, "include": [*EXAMPLES, "*.ts", "*.tsx"]}
        (self.folder / "tsconfig.json").write_text(json.dumps(options))
        command = ["node_modules/.bin/tsc", "-p", "."]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120).stdout

    def bundle(self, entry: str, text: str | None = None) -> str:
        """Bundle the file `entry`, with `text` as its content if given, into one module for browsers."""
        if text is not None:
            (self.folder / entry).write_text(text)
        command = ["node_modules/.bin/esbuild", entry, "--bundle", "--format=esm", "--jsx=automatic"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout
