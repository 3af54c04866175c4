"""Copy third-party browser files into the packages: `make vendor`, or `python .ci/vendor.py`.

`vendor.toml` names each package, its version, the registry's hash of its archive and the hash of each copied file.
`npm pack` downloads the archive and runs none of its scripts; a file with another hash stops the command.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LIST = ROOT / ".ci" / "vendor.toml"


def packages() -> dict[str, dict[str, Any]]:
    """Return the packages of `vendor.toml`, by name."""
    return tomllib.loads(LIST.read_text(encoding="utf-8"))


def folder_of(name: str, package: dict[str, Any]) -> Path:
    """Return the folder of the package's files; its name has the version, so browsers may cache the files for good."""
    return ROOT / package["into"] / f"{name}-{package['version']}"


def sha256(content: bytes) -> str:
    """Return the hash as `vendor.toml` writes it."""
    return hashlib.sha256(content).hexdigest()


def vendor(name: str, package: dict[str, Any]) -> Path:
    """Download the package, check its hashes, write its files, and return their folder."""
    with tempfile.TemporaryDirectory() as directory:
        command = ["npm", "pack", "--silent", "--ignore-scripts", f"{name}@{package['version']}"]
        done = subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)
        archive = Path(directory) / done.stdout.split()[-1]
        _check(name, package["integrity"], _integrity(archive.read_bytes()))
        with tarfile.open(archive) as opened:
            contents = {path: _read(opened, path) for path in package["files"]}
    folder = folder_of(name, package)
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        _check(f"{name}: {path}", package["files"][path], sha256(content))
        (folder / Path(path).name).write_bytes(content)
    return folder


def _integrity(archive: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()


def _read(archive: tarfile.TarFile, path: str) -> bytes:
    member = archive.extractfile(f"package/{path}")
    if member is None:
        raise SystemExit(f"{path} is not a file of the package")
    return member.read()


def _check(what: str, expected: str, found: str) -> None:
    if expected != found:
        raise SystemExit(f"{what} has the hash {found}; vendor.toml expects {expected}")


if __name__ == "__main__":
    for name, package in packages().items():
        print(vendor(name, package).relative_to(ROOT))
