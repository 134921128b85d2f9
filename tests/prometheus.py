"""Prometheus, as Debian has it, on this machine and in a folder of the test's."""

import json
import shutil
import subprocess
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.servers import free_port

Sample = dict[str, str]
"""The labels of a series; `__name__` is the metric's"""


REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
"""What an expression that is none, or cannot be evaluated, is answered with"""


class Prometheus:
    """A server with the `configuration`, a file in whose folder it keeps what it has scraped."""

    patience = 60.0
    """Seconds until it must answer"""

    def __init__(self, programs: Path, configuration: Path) -> None:
        self._programs = programs
        self._configuration = configuration
        self._running: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @staticmethod
    def installed() -> Path | None:
        """Return the folder of `prometheus` and `promtool`."""
        programs = [shutil.which(name) for name in ("prometheus", "promtool")]
        return Path(programs[0]).parent if programs[0] and programs[1] else None

    def __enter__(self) -> Self:
        log = self._configuration.with_suffix(".log")
        with log.open("wb") as output:
            self._running = subprocess.Popen(
                [
                    self._programs / "prometheus",
                    f"--config.file={self._configuration}",
                    f"--storage.tsdb.path={self._configuration.parent / 'prometheus'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            self._wait_until_it_answers()
        except BaseException as exc:
            self.__exit__()
            raise RuntimeError(f"prometheus failed: {log.read_text(errors='replace')}") from exc
        return self

    def __exit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.wait()

    def _wait_until_it_answers(self) -> None:
        until = time.monotonic() + self.patience
        while True:
            try:
                self.query("vector(1)")
            except (URLError, ConnectionError):
                if self._running is None or self._running.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of the HTTP API. Raises ValueError with its error."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urlencode(parameters)}") as answer:
                return json.load(answer)["data"]
        except HTTPError as exc:
            with exc:
                if exc.code not in REFUSED:
                    raise
                raise ValueError(json.load(exc)["error"]) from exc

    def query(self, expression: str) -> list[tuple[Sample, float]]:
        """Return the series that an expression gives now, with their values. Raises ValueError when it is none."""
        data = self.ask("query", query=expression)
        assert data["resultType"] == "vector", expression
        return [(each["metric"], float(each["value"][1])) for each in data["result"]]

    def firing(self) -> list[dict[str, Any]]:
        """Return the alerts that fire."""
        return [alert for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"]


def promtool(programs: Path, *arguments: str | Path) -> tuple[int, str]:
    """Run Prometheus' own checks; return the exit code and all that is printed."""
    done = subprocess.run([programs / "promtool", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
