"""Tryton, a CRM that others have written, as it comes from the package index; filled over its own JSON-RPC."""

import base64
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.servers import free_port

PASSWORD = "made-up-word-of-the-administrator"


@dataclass(frozen=True)
class Party:
    """Somebody whom the CRM knows. Tryton keeps numbers as phonenumbers reads them in Türkiye."""

    name: str
    code: str
    numbers: Sequence[str]
    category: str = ""


class Tryton:
    """A Tryton server on a port and in a folder of its own, with one SQLite file."""

    name: ClassVar[str] = "Tryton"
    database = "company"
    patience = 60.0
    """Seconds until it must answer"""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="tanima-tryton-")).resolve()
        self._authorization: dict[str, str] = {}
        self._running: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @classmethod
    def installed(cls) -> Path | None:
        """Return the folder of its programs, in the environment in which the tests run."""
        folder = Path(sys.executable).parent
        return folder if (folder / "trytond").exists() and (folder / "trytond-admin").exists() else None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        try:
            self._install()
            self.start()
            self._log_in()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, where it does not run, and return when it answers."""
        if self._running is not None:
            return
        with (self._folder / "log").open("ab") as log:
            self._running = subprocess.Popen(
                self._command("trytond"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment()
            )
        until = time.monotonic() + self.patience
        while True:
            try:
                self.call("common.server.version", path="/rpc/")  # answered when all of the database is loaded
            except OSError as exc:
                if self._running.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"trytond failed: {self._log()}") from exc
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop at once, as in a crash."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def freeze(self) -> None:
        """Stop the process where it is: connections stay, and nobody answers."""
        if self._running is not None:
            self._running.send_signal(signal.SIGSTOP)
            os.waitpid(self._running.pid, os.WUNTRACED)  # until all its threads have stopped

    def thaw(self) -> None:
        if self._running is not None:
            self._running.send_signal(signal.SIGCONT)

    def call(self, method: str, *params: object, path: str = f"/{database}/rpc/") -> Any:
        """Call a method as the administrator, and return its result."""
        body = json.dumps({"id": 0, "method": method, "params": params})
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=self.patience)) as connection:
            connection.request("POST", path, body, {"Content-Type": "application/json", **self._authorization})
            response = connection.getresponse()
            if response.status != HTTPStatus.OK:
                raise RuntimeError(f"{method}: {response.status}")
            answer = json.load(response)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def create(self, model: str, *records: Mapping[str, object]) -> list[int]:
        """Make records, and return their ids."""
        ids: list[int] = self.call(f"model.{model}.create", records, {})
        return ids

    def add_user(self, login: str, password: str) -> None:
        """Make somebody who can log in and read, and is no administrator."""
        self.create("res.user", {"name": login, "login": login, "password": password})

    def fill(self, parties: Sequence[Party]) -> None:
        """Add parties, with a category for each kind of them. To be called once."""
        (country,) = self.create("country.country", {"name": "Türkiye", "code": "TR"})
        names = sorted({party.category for party in parties} - {""})
        categories = dict(zip(names, self.create("party.category", *({"name": name} for name in names)), strict=True))
        self.create(
            "party.party",
            *(
                {
                    "name": party.name,
                    "code": party.code,
                    "addresses": [["create", [{"country": country}]]],
                    "categories": [["add", [categories[party.category]]]] if party.category else [],
                    "contact_mechanisms": [
                        ["create", [{"type": "phone", "value": number} for number in party.numbers]],
                    ],
                }
                for party in parties
            ),
        )

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement on its file, beside the server, and return the rows."""
        with closing(sqlite3.connect(self._folder / f"{self.database}.sqlite", timeout=self.patience)) as database:
            rows = database.execute(statement, values).fetchall()
            database.commit()
            return rows

    def _install(self) -> None:
        (self._folder / f"{self.database}.sqlite").touch()
        (self._folder / "www").mkdir()
        (self._folder / "password").write_text(f"{PASSWORD}\n", encoding="ascii")
        (self._folder / "trytond.conf").write_text(
            f"[database]\nuri = sqlite://\npath = {self._folder}\n"
            f"[web]\nlisten = 127.0.0.1:{self.port}\nroot = {self._folder / 'www'}\n",
            encoding="utf-8",
        )
        command = self._command("trytond-admin", "-u", "country", "party", "--email", "admin@example.com")
        with (self._folder / "log").open("ab") as log:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment(), check=False
            )
        if done.returncode:
            raise RuntimeError(f"trytond-admin failed: {self._log()}")

    def _log_in(self) -> None:
        user, session, _ = self.call("common.db.login", "admin", {"password": PASSWORD})
        key = base64.b64encode(f"admin:{user}:{session}".encode()).decode()
        self._authorization = {"Authorization": f"Session {key}"}

    def _log(self) -> str:
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")

    def _command(self, program: str, *arguments: str) -> list[str]:
        place = ("-c", str(self._folder / "trytond.conf"), "-d", self.database)
        return [str(self._programs / program), *place, *arguments]

    def _environment(self) -> dict[str, str]:
        """Return the environment without settings of Tryton's, and without warnings as errors: it has some."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRYTON", "PYTHONWARN"))}
        return {**kept, "TRYTONPASSFILE": str(self._folder / "password")}
