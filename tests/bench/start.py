"""tanima with everything on, its peers, and the CRM that they ask: how each is started."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self
from urllib.request import urlopen

from proxy.cache import ContactCache, Entry
from proxy.config import load
from proxy.deployment import snapshot_of
from proxy.model import Contact
from tests.bench.load import ANYBODY, PATH, TOKEN, number
from tests.bench.load import name as name_of
from tests.bench.machine import ASKING, DEBIAN, PATIENCE, ROOT, NotListeningError, Server, environment
from tests.servers import free_port, until_open

CRM = """
name = "crm"
adapter = "rest"
timeout = 5
[sources.options]
url = "{url}/contacts"
query = {{ phone = "{{e164}}" }}
record = "items[0]"
name = "title"
numbers = "phones"
fields = {{ tier = "tier", owner = "owner", balance = "balance" }}
connections = 100
"""
SQL = """
name = "crm"
adapter = "sql"
timeout = 5
[sources.options]
url = "{url}"
statement = "SELECT id, name, phone AS number, tier, owner, balance FROM customers WHERE phone = :national"
"""
CACHE = """[cache]
ttl = 3600
size = {size}
snapshot = "cache.snapshot"
snapshot_key = "made-up-made-up-made-up"
{more}
"""
ACCESS = f"""
[switch.access]
tokens = ["{TOKEN}"]
allow = ["127.0.0.0/8"]
rate = 100000
burst = 1000000
"""
NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
{user}
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
    default_type application/json;
    open_file_cache max=20000 inactive=1h;
    proxy_cache_path cache levels=1:2 keys_zone=calls:20m max_size=1g inactive=1h use_temp_path=off;
    upstream crm {{ server {crm}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location / {{ {answer} }}
    }}
}}
"""
STATIC = f'return 200 \'{{"name": "{ANYBODY}", "target": "queue/201"}}\';'
CACHED = """proxy_pass http://crm; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_cache calls; proxy_cache_valid 200 1h; proxy_cache_lock on;"""
VCL = """vcl 4.1;
backend crm {{ .host = "127.0.0.1"; .port = "{port}"; }}
sub vcl_backend_response {{ set beresp.ttl = 1h; }}
"""
MAIN = "from proxy.cli import run; run()"
WITHOUT_UVLOOP = f"import sys; sys.modules['uvloop'] = None; {MAIN}"


def crm(seconds: float = 0.0) -> Server:
    """Return a CRM that takes so long for an answer. It is on the cores of those who ask."""
    command = [sys.executable, "-m", "tests.bench.peers.crm", "{port}", str(seconds)]
    return Server("CRM", command, cores=ASKING)


def seen_by(server: Server) -> dict[str, int]:
    """Return how often a CRM was asked so far, and on how many connections."""
    with urlopen(f"http://127.0.0.1:{server.port}/seen") as answer:
        told = re.findall(r'"(\w+)": (\d+)', answer.read().decode())
    return {name: int(count) for name, count in told}


class Tanima(Server):
    """`tanima serve`. It knows so many callers from the start, out of a snapshot."""

    def __init__(
        self,
        folder: Path,
        source: str,
        *,
        name: str = "",
        rules: int = 10,
        uvloop: bool = False,
        access: str = ACCESS,
        has_admin: bool = True,
        logs: bool = True,
        known: int = 0,
        cache: str = "",
        arguments: tuple[str, ...] = (),
        cores: set[int] | None = None,
        code: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        name = name or ("tanima, uvloop" if uvloop else "tanima")
        own = folder / name.replace(" ", "-")
        own.mkdir()
        self._admin = free_port() if has_admin else 0
        admin = f'[admin]\nlisten = "127.0.0.1:{self._admin}"\n' if has_admin else ""
        path = "/musteri.json" if access else PATH  # all are asked at one URL
        text = f'[switch]\ndefault = "queue/200"\ndeadline = 10\npath = "{path}"\n{access}{admin}'
        text += CACHE.format(size=max(50_000, known + 20_000), more=cache)
        for place in range(rules - 1):
            text += (
                f'[[rules]]\nname = "{place}"\nwhen = {{ owner = "agent{place}" }}\ntarget = "user/{1000 + place}"\n'
            )
        text += f'[[rules]]\nname = "gold"\nwhen = {{ tier = "gold" }}\ntarget = "queue/201"\n[[sources]]{source}'
        self.file = own / "config.toml"
        self.file.write_text(text, encoding="utf-8")
        self._known = known
        if known:
            subprocess.run(
                [sys.executable, "-m", "tests.bench.start", self.file, str(known)],
                check=True,
                cwd=ROOT,
                env=environment(),
            )
        code = code or (MAIN if uvloop else WITHOUT_UVLOOP)
        serve = ["serve", "--config", str(self.file), "--listen", "127.0.0.1:{port}", *arguments]
        command = [sys.executable, "-c", code, *serve]
        super().__init__(name, command, own / "log" if logs else None, cores=cores, more=variables)

    def __enter__(self) -> Self:
        super().__enter__()
        if self._admin:
            until_open(self._admin)
        until = time.monotonic() + PATIENCE
        while self._known and self.log and '"snapshot_read"' not in self.written() and time.monotonic() < until:
            time.sleep(0.05)
        return self

    def restored(self) -> float:
        """Return in how many seconds the snapshot was taken up."""
        return float(re.findall(r'"snapshot_read", .*"ms": ([0-9.]+)', self.written())[0]) / 1000

    def counted(self) -> dict[str, int]:
        """Return how many calls were answered so far, by reason and via; nothing without `[admin]`."""
        if not self._admin:
            return {}
        with urlopen(f"http://127.0.0.1:{self._admin}/metrics") as answer:
            text = answer.read().decode()
        found = re.findall(r'^tanima_calls_total\{reason="(\w+)",via="(\w+)"\} ([0-9.e+]+)', text, re.MULTILINE)
        return {f"{reason}/{via}": int(float(count)) for reason, via, count in found if float(count)}


def write_snapshot(file: Path, count: int) -> None:
    """Write the snapshot of a TOML, with so many contacts."""
    snapshot, cache, now = snapshot_of(load(file)), ContactCache(count), time.monotonic()
    assert snapshot is not None
    for n in range(count):
        e164 = f"+9{number(n)}"
        contact = Contact(name_of(n), {"tier": "gold", "owner": "nobody", "balance": 12.5}, (e164,))
        cache.put(e164, Entry(contact, now + 3600, now + 86400))
    asyncio.run(snapshot.write(cache))


def bare() -> Server:
    """Return the bare aiohttp Application."""
    return Server("aiohttp", [sys.executable, "-m", "tests.bench.peers.bare", "{port}"])


def through(kind: str, place: str, name: str) -> Server:
    """Return the one that passes calls on."""
    return Server(name, [sys.executable, "-m", "tests.bench.peers.through", "{port}", kind, place])


def with_fastapi(crm_url: str, *, uvloop: bool, warm: int = 0) -> Server:
    """Return what people write, on the loop and parser of uvicorn alone or of `uvicorn[standard]`."""
    loop = ["--loop", "uvloop", "--http", "httptools"] if uvloop else ["--loop", "asyncio", "--http", "h11"]
    command = [sys.executable, "-m", "uvicorn", "tests.bench.peers.with_fastapi:app", "--port", "{port}", *loop]
    more = {"CRM": crm_url, "WARM": str(warm)}
    name = "FastAPI, uvloop" if uvloop else "FastAPI"
    return Server(name, [*command, "--no-access-log", "--log-level", "warning", "--backlog", "2048"], more=more)


def nginx(folder: Path, crm_port: int, *, caches: bool) -> Server | None:
    """Return nginx in front of the CRM, or one that says the same to everybody."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        return None
    own = folder / f"nginx{caches}"
    (own / "tmp").mkdir(parents=True)
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    told = NGINX.format(user=user, port=port, crm=f"127.0.0.1:{crm_port}", answer=CACHED if caches else STATIC)
    (own / "nginx.conf").write_text(told, encoding="utf-8")
    command: list[str | Path] = [program, "-p", own, "-c", own / "nginx.conf", "-e", "stderr"]
    return Server("nginx proxy_cache" if caches else "nginx return 200", command, own / "log", port=port)


def varnish(folder: Path, crm_port: int) -> Server | None:
    """Return Varnish in front of the CRM."""
    program = shutil.which("varnishd", path=f"{DEBIAN}/usr/sbin:{os.environ['PATH']}:/usr/sbin")
    if program is None:
        return None
    own = folder / "varnish"
    own.mkdir()
    (own / "default.vcl").write_text(VCL.format(port=crm_port), encoding="utf-8")
    options = ["-F", "-j", "none", "-s", "malloc,256m", "-T", "none", "-a", "127.0.0.1:{port}"]
    unpacked = [f"-pvmod_path={modules}" for modules in (DEBIAN / "usr/lib").glob("*/varnish/vmods")]
    return Server("Varnish", [program, *options, "-n", own / "work", "-f", own / "default.vcl", *unpacked], own / "log")


@contextmanager
def all_of(*servers: Server | None) -> Iterator[list[Server]]:
    """Run those that are installed. nginx and Varnish may refuse to run here, and are left out then."""
    with ExitStack() as stack:
        running = []
        for server in filter(None, servers):
            try:
                running.append(stack.enter_context(server))
            except NotListeningError as exc:
                if not server.name.startswith(("nginx", "Varnish")):
                    raise
                print(exc)  # noqa: T201
        yield [server for server in running if not server.name.endswith("uvloop") or server.has_loaded("uvloop")]


if __name__ == "__main__":
    write_snapshot(Path(sys.argv[1]), int(sys.argv[2]))
