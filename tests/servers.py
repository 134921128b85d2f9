"""Real servers that the tests start for themselves."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self


class DatabaseServer(ABC):
    """A database server on a port and in a folder of its own, whose administrator needs no password."""

    name: ClassVar[str]
    account: ClassVar[str]
    """Of the operating system: the servers refuse to run as root"""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix=f"tanima-{self.account}-"))
        self._data = self._folder / "data"
        self.port = free_port()

    @classmethod
    @abstractmethod
    def installed(cls) -> Path | None:
        """Return a folder with the installed server's programs."""

    @abstractmethod
    def start(self) -> None:
        """Start it, where it does not run, and return when it answers."""

    @abstractmethod
    def stop(self) -> None:
        """Stop at once, as in a crash."""

    @abstractmethod
    def sql(self, statements: str) -> str:
        """Run statements as the administrator, and return what they print."""

    @abstractmethod
    def url(self, user: str = ..., database: str = ...) -> str:
        """Return the URL for SQLAlchemy."""

    def freeze(self) -> None:
        """Stop all processes where they are: connections stay, and nobody answers."""
        self._signal(signal.SIGSTOP)
        until = time.monotonic() + 20.0
        while not all(map(_is_stopped, self._processes())):
            if time.monotonic() > until:
                raise RuntimeError(f"{self.name} does not stop")
            time.sleep(0.001)  # a thread that runs stops only when it next enters the kernel

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            shutil.chown(self._folder, self.account)
        self._install()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self.stop()
        shutil.rmtree(self._folder)

    @abstractmethod
    def _install(self) -> None:
        """Make its files."""

    @abstractmethod
    def _process(self) -> int | None:
        """Return the server's process, if it runs."""

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(process, number)

    def _processes(self) -> list[int]:
        """Return the server's process and those that it has started, it first so that it starts no more."""
        first = self._process()
        if first is None:
            return []
        others = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii")
        return [first, *map(int, others.split())]

    def _run(self, program: str, *arguments: str | Path, as_account: bool = True) -> str:
        change_user = ["runuser", "-u", self.account, "--"] if as_account and os.geteuid() == 0 else []
        command = [*change_user, str(self._programs / program), *map(str, arguments)]
        with tempfile.TemporaryFile() as output:  # a pipe would stay open in the server that pg_ctl starts
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", check=False)
            output.seek(0)
            text = output.read().decode()
        if done.returncode:
            raise RuntimeError(f"{program} failed: {text}")
        return text


def _is_stopped(process: int) -> bool:
    """Tell whether all threads of a process are stopped, or have ended."""
    for file in Path(f"/proc/{process}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            if file.read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in {"T", "Z", "X"}:
                return False
    return True


class Postgres(DatabaseServer):
    """A PostgreSQL server with the administrator `postgres`. Whoever is called `locked_out` needs a password."""

    name = "PostgreSQL"
    account = "postgres"

    @classmethod
    def installed(cls) -> Path | None:
        """Return the folder of the newest installed server's programs."""
        folders = [file.parent for file in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
        return max(folders, key=lambda folder: int(folder.parent.name), default=None)

    def url(self, user: str = "postgres", database: str = "postgres") -> str:
        # Without TLS: asyncpg 0.32 leaves an error behind, for asyncio to log, when it is cancelled as it asks for TLS.
        return f"postgresql+asyncpg://{user}@127.0.0.1:{self.port}/{database}?ssl=disable"

    def start(self) -> None:
        if self._process() is not None:
            return
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "-D", self._data, "-l", self._folder / "log", "-o", options, "-w", "start")

    def stop(self) -> None:
        if self._process() is not None:
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def sql(self, statements: str) -> str:
        arguments = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1")
        return self._run("psql", *arguments, "-c", statements, as_account=False).strip()

    def _install(self) -> None:
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        (self._data / "pg_hba.conf").write_text(
            "host all locked_out 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n", encoding="ascii"
        )

    def _process(self) -> int | None:
        file = self._data / "postmaster.pid"
        return int(file.read_text(encoding="ascii").split()[0]) if file.exists() else None


LOCKED_OUT = """
DO $$ BEGIN CREATE ROLE locked_out LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE locked_out PASSWORD 'right'
"""
"""Makes the user of PostgreSQL who needs a password"""


class Mariadb(DatabaseServer):
    """A MariaDB server with the administrator `root`, the database `crm`, and two users without rights.

    They are called `reader`, who needs no password, and `locked_out`, whose password is `right`.
    """

    name = "MariaDB"
    account = "mysql"
    patience = 30.0
    """Seconds until it must answer"""

    certificate: Path | None = None
    """To encrypt with, in a file with its private key"""

    _running: subprocess.Popen[bytes] | None = None

    @classmethod
    def installed(cls) -> Path | None:
        """Return the folder with the programs' folders `bin` and `sbin`."""
        folders = (folder for folder in map(Path, ("/usr", "/usr/local")) if (folder / "sbin/mariadbd").exists())
        return next(folders, None)

    def url(self, user: str = "root", database: str = "crm") -> str:
        return f"mariadb+aiomysql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        if self._process() is not None:
            return
        log = self._folder / "log"
        with log.open("ab") as output:
            self._running = subprocess.Popen(
                [
                    self._programs / "sbin/mariadbd",
                    *self._options(),
                    f"--port={self.port}",
                    "--bind-address=127.0.0.1",
                    f"--socket={self._folder / 'socket'}",
                    f"--pid-file={self._folder / 'pid'}",
                    "--skip-log-bin",
                    "--skip-name-resolve",
                    "--character-set-server=utf8mb4",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
            )
        until = time.monotonic() + self.patience
        while True:
            try:
                self._client("SELECT 1")
            except RuntimeError as exc:
                if self._process() is None or time.monotonic() > until:
                    self.stop()
                    raise RuntimeError(f"mariadbd failed: {log.read_text(errors='replace')}") from exc
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.wait()

    def sql(self, statements: str) -> str:
        return self._client(statements, "--database=crm")

    def __enter__(self) -> Self:
        super().__enter__()
        self._client(
            "CREATE DATABASE crm; CREATE USER reader@'127.0.0.1';"
            "CREATE USER locked_out@'127.0.0.1' IDENTIFIED BY 'right'"
        )
        return self

    def _install(self) -> None:
        (self._folder / "tmp").mkdir()
        if os.geteuid() == 0:
            shutil.chown(self._folder / "tmp", self.account)
        self._run(
            "bin/mariadb-install-db", *self._options(), "--auth-root-authentication-method=normal", "--skip-test-db"
        )

    def _options(self) -> list[str]:
        return [
            "--no-defaults",
            f"--datadir={self._data}",
            f"--tmpdir={self._folder / 'tmp'}",
            "--innodb-flush-log-at-trx-commit=2",  # to the disk at leisure, but not lost when it is killed
            "--innodb-log-file-size=8M",
            "--innodb-buffer-pool-size=32M",
            *(["--user=" + self.account] if os.geteuid() == 0 else []),
            *([f"--ssl-cert={self.certificate}", f"--ssl-key={self.certificate}"] if self.certificate else []),
        ]

    def _client(self, statements: str, *more: str) -> str:
        arguments = (
            "--no-defaults",
            "--protocol=tcp",
            "--host=127.0.0.1",
            f"--port={self.port}",
            "--user=root",
            "--default-character-set=utf8mb4",
            "--skip-column-names",
            "--batch",
            "--connect-timeout=5",
            *more,
        )
        return self._run("bin/mariadb", *arguments, "--execute", statements, as_account=False).strip()

    def _process(self) -> int | None:
        return self._running.pid if self._running is not None and self._running.poll() is None else None


def until_open(port: int) -> None:
    """Wait until somebody listens: the operator's address is there a little later than that of the switch."""
    for _ in range(2000):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.01)
    raise AssertionError(f"nobody listens at port {port}")


def free_port() -> int:
    """Return a port on which nobody listens.

    As long as this process lives, a socket is bound to it that does not listen: so nobody else is given the port by the
    kernel, and whoever asks for it by its number, as all servers do with SO_REUSEADDR, can have it again and again.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    port: int = kept.getsockname()[1]
    kept.detach()
    return port
