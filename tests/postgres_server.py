"""A PostgreSQL server from the distribution's packages, for as long as the tests run."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "open-sesame"


class NoServerError(Exception):
    """Why there is none; a person is to read it."""


class PostgresServer:
    """`journeyman` owns the databases, and is no superuser; by the socket it needs no password, by TCP it does."""

    def __init__(self, folder: Path, programs: Path, account: dict[str, Any]) -> None:
        self.folder, self.programs, self.account = folder, programs, account
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._made, self._shared = 0, ""

    def start(self) -> None:
        command = [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, "-p", str(self.port)]
        # The tests kill its clients, not it; what it does at a power cut is not ours to test.
        settings = ["fsync=off", "listen_addresses=127.0.0.1", "max_connections=40", "autovacuum=off"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *(word for each in settings for word in ("-c", each))], stderr=log, **self.account
            )
        end = time.monotonic() + 30
        while True:
            with suppress(psycopg.OperationalError):
                self.admin("SELECT 1")
                return
            if self.process.poll() is not None or time.monotonic() > end:
                raise NoServerError(f"PostgreSQL does not start: {(self.folder / 'log').read_text()[-500:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT tells the clients to go; SIGQUIT leaves everything as it is."""
        self.process.send_signal(how)
        self.process.wait(30)

    def url(self, database: str, user: str = "journeyman") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def tcp(self, database: str, user: str = "journeyman", password: str = PASSWORD) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def admin(self, *statements: str, database: str = "postgres") -> list[Any]:
        """As the superuser; the rows of the last statement."""
        with psycopg.connect(self.url(database, "postgres"), autocommit=True) as connection:
            for each in statements:
                cursor = connection.execute(each.encode())
            return cursor.fetchall() if cursor.description else []

    def database(self, options: str = "") -> str:
        """The name of a new, empty one."""
        self._made += 1
        name = f"day{self._made}"
        self.admin(f"CREATE DATABASE {name} OWNER journeyman {options}")
        return name

    def drop(self, database: str) -> None:
        self.admin(f"DROP DATABASE {database} WITH (FORCE)")

    def empty(self) -> str:
        """The URL of a database in which nothing is left of an earlier test: quicker than a new one."""
        if not self._shared:
            self._shared = self.database()
        ending = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{self._shared}'"
        self.admin(ending)
        self.admin("DROP SCHEMA IF EXISTS journeyman CASCADE", database=self._shared)
        return self.url(self._shared)


@contextmanager
def running() -> Iterator[PostgresServer]:
    """A server in a new folder; NoServerError where none can be had."""
    found = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found and not places:
        raise NoServerError("there is no PostgreSQL here: install its package (Debian, Ubuntu: apt install postgresql)")
    programs = Path(found).resolve().parent if found else places[-1].parent
    account: dict[str, Any] = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        names = {each.pw_name: each for each in pwd.getpwall()}
        who = names.get("postgres") or names.get("nobody")
        if who is None:
            raise NoServerError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
        account = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:  # a socket's path has to be short
        folder = Path(name)
        account |= {"cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
        if "user" in account:
            os.chown(folder, account["user"], account["group"])
        making = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run([*making, "-A", "trust"], capture_output=True, text=True, check=False, **account)
        if done.returncode:
            raise NoServerError(f"initdb failed: {done.stderr.strip()[-500:]}")
        (folder / "data" / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        server = PostgresServer(folder, programs, account)
        try:
            server.start()
            server.admin(f"CREATE ROLE journeyman LOGIN PASSWORD '{PASSWORD}'")
            yield server
        finally:
            if hasattr(server, "process") and server.process.poll() is None:
                server.stop(signal.SIGQUIT)
