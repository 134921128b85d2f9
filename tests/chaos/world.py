"""Where the promises are tried: servers of our own, how much is tried, and what was seen."""

import asyncio
import random
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from proxy.testing import HttpCrm, Request
from tests.chaos.load import Heard
from tests.e2e.people import head, source
from tests.e2e.running import Serving
from tests.servers import DatabaseServer

OPTIONS = """url = "{url}/contacts"
query = {{ phone = "{{e164}}" }}
record = "items"
name = "title"
numbers = "phones"
fields = {{ tier = "tier", extension = "extension" }}
connections = 100
"""

NAME = "Örnek Şahıs"
"""Of everybody whom our CRM knows"""

KNOWN = {"name": NAME, "target": "queue/201"}
DEFAULT = {"target": "queue/200"}
UNKNOWN = {"target": "queue/202"}


def knows_everybody(request: Request) -> object:
    """Answer as a CRM that has everybody who is asked for."""
    return {"items": [{"title": NAME, "tier": "gold", "phones": [request.query.get("phone", "")]}]}


def over_http(port: int, limits: str = "timeout = 0.5\nattempts = 1", name: str = "crm") -> str:
    """Return the TOML of a source that asks such a CRM."""
    return source("rest", OPTIONS.format(url=f"http://127.0.0.1:{port}"), limits).replace('"crm"', f'"{name}"')


def toml(sources: str, *, deadline: float = 1.5, cache: str = "", switch: str = "", more: str = "") -> str:
    """Return a whole TOML."""
    section = f"\n[cache]\n{cache}\n" if cache else ""
    return head(deadline=deadline, more=section + more).replace("[switch]", f"[switch]\n{switch}", 1) + sources


EVERYBODY = f"""
from pathlib import Path
from proxy.adapter import Adapter, Contact, Unavailable

class Everybody(Adapter):
    \"\"\"Knows everybody at once, unless there is a file called down.\"\"\"

    def __init__(self, config):
        self.down = Path(__file__).with_name("down")

    async def lookup(self, key):
        if self.down.exists():
            raise Unavailable("the CRM is down")
        return Contact("{NAME}", {{"tier": "gold"}}, (key.e164,))
"""
"""An adapter, for the folder of a TOML"""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is tried."""

    share: float = 1.0
    """Of the calls and seconds of the whole run"""
    slack: float = 0.0
    """Seconds beyond those that are promised, for a machine that is busy"""

    def count(self, whole: int, least: int) -> int:
        """Return how many of so many."""
        return min(whole, max(least, round(whole * self.share)))

    def seconds(self, whole: float, least: float) -> float:
        """Return for how long, instead of so long."""
        return min(whole, max(least, whole * self.share))


@dataclass
class Seen:
    """What was seen of a promise, and in which sentences it falls short."""

    figures: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)

    def figure(self, text: str) -> None:
        self.figures.append(text)

    def must(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - it reads like an assertion
        """Note what is wrong, unless it holds."""
        if not holds:
            self.short.append(otherwise)


@dataclass(frozen=True)
class Process:
    """What the kernel says of a server's process."""

    id: int

    @property
    def memory(self) -> float:
        """MB that it has in memory."""
        for line in Path(f"/proc/{self.id}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise ProcessLookupError(self.id)

    @property
    def descriptors(self) -> int:
        """Files and sockets that it has open."""
        return len([*Path(f"/proc/{self.id}/fd").iterdir()])


class World:
    """The servers of one promise, and how much of it is tried. `folder` is for files, `logs` for logs only."""

    def __init__(
        self,
        folder: Path,
        logs: Path,
        scale: Scale,
        database: Callable[[type[DatabaseServer]], DatabaseServer],
        *,
        seed: int = 1,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder
        self.logs = logs
        self.scale = scale
        self.database = database
        """Starts a database server, once, and returns it"""
        self.tell = tell
        """Tells a person how far it is"""
        self.heard: dict[str, list[Heard]] = {}
        """What was heard, by what for, where more than one promise is about it"""
        self.known: tuple[Path, int] | None = None
        """A folder with a snapshot, and how many entries it has at least"""
        self.seed = seed
        self.chance = random.Random(seed)  # noqa: S311 - not for secrets

    def new_folder(self) -> Path:
        """Return an empty folder, for a TOML and what belongs to it."""
        folder = self.folder / f"{len([*self.folder.iterdir()]):03}"
        folder.mkdir()
        return folder

    def new_log(self) -> Path:
        """Return a file for a server's log, which is looked through at the end."""
        return self.logs / f"{len([*self.logs.iterdir()]):03}.log"

    def start(self, text: str, *, folder: Path | None = None, port: int = 0) -> Serving:
        """Start `tanima serve` with a TOML; the caller stops it."""
        file = (folder or self.new_folder()) / "config.toml"
        file.write_text(text, encoding="utf-8")
        return Serving(["serve", "--config", str(file), "--listen", f"127.0.0.1:{port}"], self.new_log())

    @asynccontextmanager
    async def serve(self, text: str, *, folder: Path | None = None) -> AsyncIterator[Serving]:
        """Run `tanima serve`; at the end it is stopped, and must end well."""
        serving = self.start(text, folder=folder)
        try:
            yield serving
        except BaseException:
            serving.process.kill()
            serving.process.wait()
            raise
        code = await asyncio.to_thread(serving.stop)
        if code:
            raise AssertionError(f"a server ended with {code}")

    @contextmanager
    def adapter_of_ones_own(self, code: str = EVERYBODY) -> Iterator[Path]:
        """Return a folder for a TOML, with the module `own`."""
        folder = self.new_folder()
        (folder / "own.py").write_text(code, encoding="utf-8")
        yield folder


@asynccontextmanager
async def crm(answer: Callable[[Request], object] = knows_everybody) -> AsyncIterator[HttpCrm]:
    """Run a CRM that knows everybody."""
    async with HttpCrm(answer) as server:
        yield server


async def until(reached: Callable[[], bool], patience: float = 20.0) -> float:
    """Wait until something is so, but not for ever, and return how many seconds that took."""
    began = time.monotonic()
    while not reached():
        if time.monotonic() - began > patience:
            raise AssertionError(f"it did not come to pass within {patience:g} s")
        await asyncio.sleep(0.005)
    return time.monotonic() - began


async def repeatedly(act: Callable[[], Awaitable[None]], pause: float) -> None:
    """Do something again and again, until this is cancelled."""
    while True:
        await act()
        await asyncio.sleep(pause)


def reasons(serving: Serving) -> Counter[str]:
    """Return how often each reason stands in the server's log lines of calls."""
    counted: Counter[str] = Counter()
    with serving_log(serving).open("rb") as lines:
        for line in lines:
            if b'"event": "call"' in line:
                counted[line.partition(b'"reason": "')[2].partition(b'"')[0].decode()] += 1
    return counted


def serving_log(serving: Serving) -> Path:
    """Return the file with the server's log."""
    return serving._log


def enough_descriptors() -> None:
    """Have enough for both ends of some thousand connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 20_000 if hard == resource.RLIM_INFINITY else min(20_000, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
