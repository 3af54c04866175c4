"""Look up the pinned packages in PyPI's list of known vulnerabilities; a part of `make test-long`.

Exit status 1: a package has a known vulnerability. If the list cannot be read, the last lines of the output say so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / ".venv-audit" / "bin" / "pip-audit"
OPTIONS = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]


def report(dependencies: list[dict[str, Any]]) -> tuple[str, int]:
    """Return the text to print and the exit status for what pip-audit found."""
    vulnerable = [
        f"{one['name']} {one['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'no version'}"
        for one in dependencies
        for found in one.get("vulns", [])
    ]
    unknown = [one for one in dependencies if "skip_reason" in one]
    lines = [f"{len(dependencies) - len(unknown)} of {len(dependencies)} pinned packages audited.", *vulnerable]
    if unknown or not dependencies:
        names = ", ".join(one["name"] for one in unknown[:5])
        lines.append(f"NOT AUDITED: {len(unknown)} packages ({names}, ...), since PyPI's list of vulnerabilities")
        lines.append("could not be read. Run `python -m tests.audit` where https://pypi.org is reachable.")
    return "\n".join(lines), 1 if vulnerable else 0


def main() -> None:
    """Audit `constraints.txt`."""
    command = [str(PROGRAM), "--requirement", str(ROOT / "constraints.txt"), *OPTIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        print(f"NOT AUDITED: pip-audit failed: {last[:300]}")
        return
    text, status = report(dependencies)
    print(text)
    sys.exit(status)


if __name__ == "__main__":
    main()
