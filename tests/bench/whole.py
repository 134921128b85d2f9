"""What is measured of a whole server: a million contacts, the start, workers, and where the time goes."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.load import CALLERS, Questions, flat_out
from tests.bench.machine import ASKING, PATIENCE, ROOT, SERVING, environment, on_cores, seconds_of
from tests.bench.measure import Bench, interleaved, nobody_yet, rated
from tests.bench.scenarios import FROM_CACHE, FROM_CRM, SLOW, known_to, url
from tests.bench.start import CRM, MAIN, Tanima, all_of, crm
from tests.e2e.running import NOT_THERE
from tests.servers import free_port

MANY = 1_000_000
STARTS = 5


def million(bench: Bench) -> dict[str, Any]:
    """Have a million contacts in the cache, out of a snapshot, and a thousand beside it."""
    with bench.folder() as folder, crm() as quick:
        servers = []
        for count, text in ((1000, "1000 contacts"), (MANY, "1,000,000 contacts")):
            often = "snapshot_every = 5"
            servers.append(Tanima(folder, CRM.format(url=url(quick)), name=text, known=count, cache=often))
        with all_of(*servers) as (few, many):
            found: dict[str, Any] = {"restored": {}, "memory_mb": {}}
            for server in servers:
                found["restored"][server.name] = server.restored()
                found["memory_mb"][server.name] = server.memory()
            known = partial(Questions, turn=1000)
            found["hits"] = interleaved(bench, [few, many], known, told=FROM_CACHE)
            found["all_in_turn"] = interleaved(bench, [many], partial(Questions, turn=MANY), told=FROM_CACHE)
            some_new = partial(Questions, turn=1000, fresh=50, fresh_from=MANY + 1)  # so that a snapshot is written
            writing = rated(200, 15)
            found["writing"] = interleaved(
                bench, [few, many], some_new, told=f"{FROM_CACHE} {FROM_CRM}", asking=writing, rounds=1
            )
            found["memory_after_mb"] = {server.name: server.memory() for server in (few, many)}
    return found


def start(_bench: Bench) -> dict[str, Any]:
    """Start the sample, until it has answered a call; and import aiohttp.web, beside it."""
    found: dict[str, Any] = {}
    alone = environment({"PYTHONPATH": os.pathsep.join([str(NOT_THERE), str(ROOT)])})  # as without development tools
    for _ in range(STARTS + 1):
        port = free_port()
        demo = [sys.executable, "-c", MAIN, "demo", "--listen", f"127.0.0.1:{port}"]
        for text, command in (
            ("`import aiohttp.web`", [sys.executable, "-c", "import aiohttp.web"]),
            ("`tanima demo`, first answer", demo),
        ):
            began = time.perf_counter()
            with on_cores(SERVING):
                process = subprocess.Popen(
                    command, cwd=ROOT, env=alone, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            if command is demo:
                answered(port)
                took, cpu = time.perf_counter() - began, seconds_of(process.pid)
                process.terminate()
                process.wait()
            else:
                usage = os.wait4(process.pid, 0)[2]
                took, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
            row = found.setdefault(text, {"seconds": [], "cpu_s": []})
            row["seconds"].append(took)
            row["cpu_s"].append(cpu)
    for row in found.values():  # the first has compiled modules
        row["seconds"], row["cpu_s"] = row["seconds"][1:], row["cpu_s"][1:]
    return {"starts": found}


def answered(port: int) -> None:
    """Ask for the sample's first customer until he is known."""
    packet = b"GET /musteri.json?telefon=05301234567 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(packet)
            if b"queue/201" in connection.recv(4096):
                return
        time.sleep(0.002)
    raise SystemExit("the sample does not answer")


def workers(bench: Bench) -> dict[str, Any]:
    """Have one worker, and two, on all cores, which they share with who asks."""
    everywhere = SERVING | ASKING
    with bench.folder() as folder, crm() as quick:
        servers = []
        for count in (1, 2):
            text = f"{count} worker{'s' if count > 1 else ''}"
            arguments = ("--workers", str(count))
            start = partial(Tanima, folder, CRM.format(url=url(quick)), known=1000, cores=everywhere)
            servers.append(start(name=text, arguments=arguments))
        with all_of(*servers) as running, on_cores(everywhere):
            asked = partial(Questions, turn=1000)
            return {"hits": interleaved(bench, running, asked, told=f"{FROM_CACHE} {FROM_CRM}")}


def profile(bench: Bench) -> dict[str, Any]:
    """Look where the time of a hit goes, and that of a miss; needs py-spy."""
    program = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        return {}
    found: dict[str, Any] = {}
    for text, seconds, questions in (
        ("hit", 0.0, Questions()),
        ("miss", SLOW, Questions(first=nobody_yet(), turn=0)),
    ):
        with bench.folder() as folder, crm(seconds) as asked:
            tanima = Tanima(folder, CRM.format(url=url(asked)), uvloop=True, known=CALLERS)
            with tanima as server:
                if text == "hit":
                    known_to(server)
                for form, suffix in (("raw", "txt"), ("flamegraph", "svg")):
                    file = ROOT / f"build/bench/{text}.{suffix}"
                    command = [program, "record", "-p", str(server.process.pid), "-d", "3", "-r", "400", "-f", form]
                    with subprocess.Popen(
                        [*command, "-o", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                    ) as spying:
                        flat_out(server.port, questions, 5, folder)
                    if spying.returncode or not file.exists():
                        return found
                found[text] = shares(file.with_suffix(".txt").read_text(encoding="utf-8"))
    return found


def shares(raw: str) -> dict[str, float]:
    """Return the share of each package in the samples, of what it does itself."""
    counted: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        if "proxy/cli/__init__.py" in stack:  # other threads wait
            counted[package(stack.split(";"))] += int(count)
    total = sum(counted.values())
    return {name: count / total for name, count in counted.most_common(14)}


def package(stack: list[str]) -> str:
    """Return whose frame the last one is, of ours to the module."""
    for frame in reversed(stack):
        file = frame.rpartition("(")[2].partition(":")[0]
        if match := re.search(r"(proxy|adapters)/([\w/]+)\.py", file):
            return f"{match[1]}/{match[2].removesuffix('/__init__')}"
        if match := re.search(r"(\w+)/[\w/.]*\.(?:py|pyx|pxd)$", file):
            return match[1] if "/" in file else file
    return "the interpreter"
