"""The page on monitoring lists all metrics and alerts, with their figures; what it shows is run against one server."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from proxy.breaker import State
from proxy.figures import Figures
from proxy.journal import KEPT
from proxy.metrics import METRICS, exposition
from proxy.model import FAILED_OPEN, OUTCOMES
from proxy.web.endpoints import HEALTH, INVALIDATE, LATELY, LIVE, OPEN, READY
from proxy.web.switch import SLACK
from tests.e2e.running import Serving
from tests.monitoring.told import DASHBOARD, alerts
from tests.prometheus import promtool
from tests.readme.operation_page import REST, deployed, serving
from tests.readme.pages import blocks, commands, read, run, sections, spans, tables, write_files
from tests.servers import free_port, until_open
from tests.unit.web.operated import GAUGES

PAGE = read("docs/monitoring.md")
SECTIONS = sections(PAGE)
WORDS = " ".join(PAGE.split())
TOML = next(block.text for block in blocks(PAGE) if block.language == "toml")
EXAMPLES = ("live", "journal", "push: header", "push: url")

_CHANGING = re.compile(
    r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00)?|(?<=\"ms\": )[\d.]+|(?<= )[\d.]+(?= ms\b)"
)
"""Times of day, and durations"""


def rows(heading: str) -> list[list[str]]:
    ((_, *body),) = tables(SECTIONS[heading])
    return body


def marked(mark: str) -> str:
    return next(block.text for block in blocks(PAGE) if block.mark == mark)


def alike(text: str) -> str:
    return _CHANGING.sub("N", text).strip()


# ---------------------------------------------------------------------------------------- tables


def test_every_metric_is_told_with_its_kind_its_labels_and_its_meaning() -> None:
    told = {spans(name)[0]: (kind, tuple(spans(labels)), text) for name, kind, labels, text in rows("Metrics")}
    written = {each.name + "_total" * (each.kind == "counter"): (each.kind, each.labels, each.help) for each in METRICS}
    assert {name: (*rest, text.replace("`", "")) for name, (*rest, text) in told.items()} == {
        name: (*rest, text.replace("`", "")) for name, (*rest, text) in written.items()
    }


def test_the_values_of_labels_and_what_the_process_tells_are_there() -> None:
    told = set(spans(SECTIONS["Metrics"]))
    assert told >= {*OUTCOMES, *State, *FAILED_OPEN}
    told_of_the_process = {span for span in told if span.startswith("process_")}
    assert len(told_of_the_process) == 4
    text = exposition(Figures(), GAUGES).decode()
    assert [name for name in told_of_the_process if f"\n{name} " not in text] == []


def test_every_alert_is_told_with_its_severity_and_its_patience() -> None:
    told = [(spans(name)[0], sort) for name, sort, *_ in rows("Alerts")]
    assert told == [
        (each.name, f"{each.severity}, " + (f"{each.minutes} min" if each.minutes else "at once")) for each in alerts()
    ]


FIGURES: dict[str, Callable[[str], str]] = {
    r"(\d+) %": lambda figure: f"{int(figure) / 100:g}",
    r"(?:of|in|within|over|last) (\d+) min": lambda figure: f"[{figure}m]",
    r"(\d+) s\b": lambda figure: f"> {figure}",
    r"at least (\d+)\b": lambda figure: f">= {figure}",
    r"more than (\d+) (?:request|times)": lambda figure: f"> {figure}",
}
"""How a figure of the table is written in an expression"""


def test_the_figures_of_an_alert_are_those_of_its_expression() -> None:
    for (_, _, when, _), alert in zip(rows("Alerts"), alerts(), strict=True):
        found = [written(figure) for told, written in FIGURES.items() for figure in re.findall(told, when)]
        assert len(found) == len(re.findall(r"\d+", when)), when
        assert [each for each in found if each not in alert.expr] == [], alert.name


def test_what_is_told_in_words_is_so_in_the_code() -> None:
    assert {urlsplit(spans(path)[0]).path for path, *_ in rows("Health")} == {LIVE, READY, HEALTH}
    for path, *_, what in rows("Health"):
        assert ("Needs no token" in what) == (spans(path)[0] in OPEN)
    for sentence, holds in {
        "how the last five minutes went": LATELY == 300,
        "1000 that went well, 1000 that failed or were rescued, and 1000 that were refused": KEPT == 1000,
        "Answers more than 0.2 s after the deadline": SLACK == 0.2,
        "that takes five within five minutes": ">= 5"
        in {each.name: each.expr for each in alerts()}["TanimaFailingOpen"],
        f"location = {INVALIDATE} {{": True,
    }.items():
        assert sentence in WORDS
        assert holds, sentence
    (job,) = re.findall(r"job_name: (\w+)", marked("file: prometheus.yml"))
    assert f'up{{job="{job}"}}' in alerts()[0].expr
    titles = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert titles == ["Calls", "Sources", "What is known, and who asks", "The process"]
    at = [SECTIONS["Dashboard"].replace("\n", " ").lower().index(title.lower()) for title in titles]
    assert at == sorted(at)


# ---------------------------------------------------------------------------------------- examples


def test_prometheus_takes_the_configuration(prometheus: Path, tmp_path: Path) -> None:
    write_files(PAGE, tmp_path)
    (tmp_path / "alerts.yml").write_text(read("docs/monitoring/alerts.yml"), encoding="utf-8")
    (tmp_path / "admin.token").write_text("made-up-token-of-the-operator", encoding="ascii")
    code, printed = promtool(prometheus, "check", "config", tmp_path / "prometheus.yml")
    assert code == 0, printed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("monitoring")


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(folder: Path, port: int) -> Iterator[Serving]:
    """Serve as the page has it, after one call."""
    file = deployed(folder, TOML.replace("9090", str(port)))
    for command, _ in commands(marked("tokens")):
        run(command, folder)
    assert REST in file.read_text(encoding="utf-8")
    with serving(file) as server:
        call(server)
        until_open(port)
        yield server


def call(server: Serving) -> None:
    answer = run(f"curl -s '{server.url}/musteri.json?telefon=05301234567'", Path.cwd())
    assert json.loads(answer) == {"name": "Ahmet Yılmaz", "target": "queue/201"}


def asked(command: str, folder: Path, port: int) -> str:
    """Run a command of the page, with the tokens that it has made."""
    tokens = {
        name: (folder / file).read_text(encoding="ascii").strip()
        for name, file in (("TOKEN", "admin.token"), ("PUSH", "crm.token"))
    }
    return run(command.replace("9090", str(port)), folder, **tokens)


def test_the_examples_print_what_is_shown(server: Serving, folder: Path, port: int) -> None:
    for mark in EXAMPLES:
        ran = [*commands(marked(mark))]
        assert ran
        for command, expected in ran:
            assert alike(asked(command, folder, port)) == alike(expected), command
            if mark.startswith("push"):
                call(server)
    _, (journal, _) = commands(marked("journal"))
    vias = [json.loads(line)["via"] for line in asked(journal, folder, port).splitlines()]
    assert vias == ["crm"] * 4, "after each push it was asked for anew"
    assert {block.mark for block in blocks(PAGE) if block.language == "console"} == {"tokens", *EXAMPLES}


def test_a_body_of_the_crms_own_is_not_read(server: Serving, folder: Path, port: int) -> None:
    *_, (command, expected) = commands(marked("push: url"))
    assert "all=true" in command
    assert asked(f"{command} -d '{{\"meta\": {{}}}}'", folder, port) == expected.strip()


def test_health_is_told_as_it_is_shown(server: Serving, folder: Path, port: int) -> None:
    command = next(span for span in spans(SECTIONS["Health"]) if span.startswith("curl"))
    printed = json.loads(asked(command, folder, port))
    shown = json.loads(marked("health"))
    for each in (printed, shown):
        each["configuration"]["taken_at"] = each["calls"]["p50_ms"] = each["calls"]["p99_ms"] = "N"
        each["calls"]["count"] = each["calls"]["looked_up"] = "N"
    assert printed == shown
    assert [*printed] == [*shown]


def test_the_token_of_a_crm_opens_nothing_else(server: Serving, folder: Path, port: int) -> None:
    for path in ("healthz", "metrics", "journal"):
        assert "no token" in asked(f'curl -H "X-Token: $PUSH" http://127.0.0.1:9090/{path}', folder, port)
    told = asked('curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9090/metrics', folder, port)
    for name, *_ in rows("Metrics"):
        assert spans(name)[0] in told or "snapshot" in name
