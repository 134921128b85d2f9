"""From a view to the text of a page."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from proxy.model import FAILED_OPEN
from proxy.web.console import words
from proxy.web.console.visit import View, Visit

PAGES = Path(__file__).parent / "pages"

NAVIGATION = (
    ("/", "Now"),
    ("/calls", "Calls"),
    ("/test", "Test a number"),
    ("/sources", "Sources"),
    ("/rules", "Rules"),
    ("/cache", "Cache"),
    ("/configuration", "Configuration"),
)


@cache
def _templates() -> Environment:
    """Return all templates, compiled."""
    pages = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals.update(
        navigation=NAVIGATION,
        languages=words.LANGUAGES,
        moment=words.moment,
        reasons=words.REASONS,
        failed_open=FAILED_OPEN,
        vias=words.VIAS,
        via_sentences=words.VIA_SENTENCES,
        outcomes=words.OUTCOMES,
        standings=words.STANDINGS,
        sorts=words.SORTS,
        states=words.STATES,
        considered_words=words.CONSIDERED,
        roles=words.ROLES,
        plain_options=lambda names: [(name, name) for name in names],
    )
    for name in pages.list_templates(extensions=["html"]):
        pages.get_template(name)
    return pages


class Renderer:
    """Writes pages. `version` is that of tanima, `assets` that of what pages load."""

    def __init__(self, version: str, assets: str, *, has_token: bool) -> None:
        self._pages = _templates()
        self._everywhere = {"version": version, "assets": assets, "has_token": has_token}

    def text(self, view: View, visit: Visit) -> str:
        """Return the page."""
        said = visit.words
        content: Mapping[str, Any] = {
            **self._everywhere,
            "say": said.say,
            "number": said.number,
            "share": said.share,
            "span": said.span,
            "age": said.age,
            "ago": said.ago,
            "visit": visit,
            "zone": f"{words.before_now(0):%Z}",
            "csrf": lambda: _hidden(visit),
            "said_options": lambda table: [(str(word), said.say(text)) for word, text in table.items()],
            "in_language": lambda language: f"?{urlencode({**visit.query, 'lang': language})}",
            **view.content,
        }
        return self._pages.get_template(view.template).render(content)


def _hidden(visit: Visit) -> Markup:
    """Return the field that every form brings back."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(visit.session.csrf if visit.session else "")
