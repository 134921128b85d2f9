"""Real servers that the tests start for themselves."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self


class Postgres:
    """A PostgreSQL server on a port and in a folder of its own, with the user `postgres`, who needs no password."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="tanima-postgres-"))
        self._data = self._folder / "data"
        self.port = free_port()

    @classmethod
    def installed(cls) -> Path | None:
        """Return the folder of the newest installed server's programs."""
        folders = [file.parent for file in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
        return max(folders, key=lambda folder: int(folder.parent.name), default=None)

    def url(self, user: str = "postgres", database: str = "postgres") -> str:
        # Without TLS: asyncpg 0.32 leaves an error behind, for asyncio to log, when it is cancelled as it asks for TLS.
        return f"postgresql+asyncpg://{user}@127.0.0.1:{self.port}/{database}?ssl=disable"

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres")
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        (self._data / "pg_hba.conf").write_text(
            "host all locked_out 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n", encoding="ascii"
        )
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        if self._is_running():
            return
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "-D", self._data, "-l", self._folder / "log", "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop at once, as in a crash."""
        if self._is_running():
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def freeze(self) -> None:
        """Stop all processes where they are: connections stay, and nobody answers."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def thaw(self) -> None:
        for process in self._processes():
            os.kill(process, signal.SIGCONT)

    def sql(self, statements: str) -> str:
        """Run statements, and return what they print."""
        arguments = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1")
        return self._run("psql", *arguments, "-c", statements, as_postgres=False).strip()

    def _is_running(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    def _processes(self) -> list[int]:
        """Return the server's process and those that it has started, it first so that it starts no more."""
        if not self._is_running():
            return []
        first = int((self._data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        others = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii")
        return [first, *map(int, others.split())]

    def _run(self, program: str, *arguments: str | Path, as_postgres: bool = True) -> str:
        """Run a program; the server refuses to run as root."""
        change_user = ["runuser", "-u", "postgres", "--"] if as_postgres and os.geteuid() == 0 else []
        command = [*change_user, str(self._programs / program), *map(str, arguments)]
        with tempfile.TemporaryFile() as output:  # a pipe would stay open in the server that pg_ctl starts
            done = subprocess.run(command, stdout=output, stderr=output, cwd="/", check=False)
            output.seek(0)
            text = output.read().decode()
        if done.returncode:
            raise RuntimeError(f"{program} failed: {text}")
        return text


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
