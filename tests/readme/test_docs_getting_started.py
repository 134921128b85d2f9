"""Getting started: everything that it shows is done, on other ports than it says."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.e2e.running import Serving
from tests.readme.pages import blocks, commands, printed_here, read, run, same_each_time, write_files

WRITTEN = read("docs/getting-started.md")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.shutdown()


@pytest.fixture
def page(crm: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the page as it is where its web server has another port, in a folder with its files."""
    page = WRITTEN.replace("127.0.0.1:8090", f"127.0.0.1:{crm.server_port}")
    write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    return page


def test_every_command_shown_prints_what_is_shown(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = [each for block in blocks(page) if block.mark == "run" for each in commands(block.text)]
    assert len(shown) == 6
    for command, output in shown:
        assert printed_here(command, capsys) == same_each_time(output), command


def test_the_server_answers_as_it_is_shown_and_goes_on_without_the_crm(
    page: str, crm: ThreadingHTTPServer, tmp_path: Path
) -> None:
    asked = [*commands(next(block.text for block in blocks(page) if block.mark == "ask"))]
    with Serving(["serve", "--config", "config.toml", "--listen", "127.0.0.1:0"], tmp_path / "log") as server:

        def printed(command: str) -> str:
            return run(command.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}"), tmp_path).strip()

        for command, output in asked:
            assert printed(command) == output.strip(), command
        crm.shutdown()
        crm.server_close()
        known, _ = asked
        assert printed(known[0]) == known[1].strip()
        assert printed(known[0].replace("05301234567", "05321112233")) == '{"target": "queue/200"}'
    assert "a number that was not asked about before gets\n`queue/200`" in page


def test_the_way_to_install_is_that_of_the_readme() -> None:
    ways = [next(b.text for b in blocks(text) if "-m venv" in b.text) for text in (WRITTEN, read("README.md"))]
    assert ways[0] == ways[1]


def test_no_console_is_shown_that_is_not_run() -> None:
    assert {block.mark for block in blocks(WRITTEN) if block.language == "console"} == {"run", "ask"}
