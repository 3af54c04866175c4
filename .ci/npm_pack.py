"""Pack the browser files as an npm package, without publishing it: `make npm-pack`, or

    python .ci/npm_pack.py [directory of the .tgz]

The package is built from `feedback/web`: its files, with the version in each, its licence, and what to read first.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
WEB = ROOT / "feedback" / "web"
README = """# {name}

{description} The agent server also serves these files, at `/feedback/feedback-buttons.js` and beside it.

```js
import { streamRun } from "{name}";
import "{name}/buttons";   // defines <feedback-buttons>; safe to import on a server
```
"""


def pack(target: Path) -> Path:
    """Return the path of the package's archive, in `target`."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        _build(Path(directory))
        command = ["npm", "pack", "--silent", "--pack-destination", str(target.resolve())]
        done = subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)
    return target / done.stdout.split()[-1]


def _build(package: Path) -> None:
    manifest = json.loads((WEB / "package.json").read_text())
    manifest["version"] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (package / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
    for file in sorted([*WEB.glob("*.js"), *WEB.glob("*.d.ts")]):
        text = file.read_text(encoding="utf-8")
        (package / file.name).write_text(f"/*! {manifest['name']} {manifest['version']}, MIT licence */\n{text}")
    shutil.copy(ROOT / "LICENSE", package)
    readme = README.replace("{name}", manifest["name"]).replace("{description}", manifest["description"])
    (package / "README.md").write_text(readme)


if __name__ == "__main__":
    print(pack(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")))
