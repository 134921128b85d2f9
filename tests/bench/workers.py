"""Prints how many calls a second one worker answers out of the cache, and how many several do.

    python tests/bench/workers.py [--workers 1 2] [--connections 32] [--seconds 3] [--rounds 5]

All servers run side by side, and are asked in turn, some seconds each, so that what else the machine does meets all of
them; the median counts. Who asks needs a tenth of a core, too. Where there are not as many idle cores, the ratio
says nothing; what a call costs does: the processor's time in the workers, and in the one who supervises them.
"""
# ruff: noqa: T201

import argparse
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

TOML = """
[switch]
default = "queue/200"
[[rules]]
name   = "gold"
when   = { tier = "gold" }
target = "queue/201"
[[sources]]
name    = "list"
adapter = "static"
[sources.options]
contacts = [{ numbers = ["0530 123 45 67"], name = "Ahmet Yılmaz", fields = { tier = "gold" } }]
"""

QUESTION = b"GET /musteri.json?telefon=05301234567 HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER_ENDS = b'"target": "queue/201"}'

TANIMA = str(Path(sys.executable).parent / "tanima")


class Running:
    """A server with so many workers."""

    def __init__(self, workers: int, folder: Path) -> None:
        self.workers = workers
        self._log = folder / f"{workers}.log"
        command = [TANIMA, "serve", "--config", str(folder / "config.toml"), "--listen", "127.0.0.1:0"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([*command, "--workers", str(workers)], stderr=log)

    def port(self) -> int:
        while self._process.poll() is None:
            for line in self._log.read_text(encoding="utf-8").splitlines():
                if '"listening"' in line:
                    return int(json.loads(line)["port"])
            time.sleep(0.05)
        raise SystemExit(self._log.read_text(encoding="utf-8"))

    def seconds(self) -> tuple[float, float]:
        """Return the processor's time of those who answer, and of the one who supervises them."""
        own = self._process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii").split()
        theirs = sum(map(seconds_of, children))
        return (theirs, seconds_of(own)) if children else (seconds_of(own), 0.0)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def seconds_of(process: object) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(port: int, connections: int, seconds: float) -> tuple[int, float]:
    """Ask on some connections at once, on each again as soon as it is answered; return how often, and the seconds."""
    poll = select.epoll()
    asking = {}
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asking[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
        connection.send(QUESTION)
    count, began = 0, time.perf_counter()
    until = began + seconds
    while (now := time.perf_counter()) < until:
        for descriptor, _ in poll.poll(1):
            connection = asking[descriptor]
            assert connection.recv(4096).endswith(ANSWER_ENDS)
            count += 1
            connection.send(QUESTION)
    for connection in asking.values():
        connection.close()
    return count, now - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.toml").write_text(TOML, encoding="utf-8")
        servers = [Running(workers, Path(folder)) for workers in options.workers]
        rates: dict[int, list[float]] = {workers: [] for workers in options.workers}
        cost: dict[int, list[float]] = {}
        try:
            ports = [server.port() for server in servers]
            before = [server.seconds() for server in servers]
            calls = [0] * len(servers)
            for _ in range(options.rounds):
                for place, server in enumerate(servers):
                    count, took = ask(ports[place], options.connections, options.seconds)
                    calls[place] += count
                    rates[server.workers].append(count / took)
            for server, (theirs, own), count in zip(servers, before, calls, strict=True):
                now = server.seconds()
                cost[server.workers] = [(now[0] - theirs) / count * 1e6, (now[1] - own) / count * 1e6]
        finally:
            for server in servers:
                server.stop()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.connections} connections")
    first = median(rates[options.workers[0]])
    for workers, found in rates.items():
        answering, supervising = cost[workers]
        print(
            f"{workers:2} workers: {median(found):6.0f} calls/s ({min(found):.0f} to {max(found):.0f}), "
            f"{median(found) / first:.2f} times; a call costs {answering:.0f} us and {supervising:.0f} us"
        )


if __name__ == "__main__":
    main()
