"""Deployments for tests, made of adapters instead of a TOML."""

from collections.abc import Mapping, Sequence
from typing import Any

from proxy.adapter import Adapter
from proxy.config import Configuration, Settings
from proxy.config.load import ConfiguredSource


def configured(
    *adapters: Adapter,
    roles: Sequence[str] = (),
    timeouts: Sequence[float] = (),
    by: Sequence[str] = ("phone_number",),
    options: Mapping[str, Any] | None = None,
    **sections: Any,
) -> Configuration:
    """Return a configuration whose sources `crm`, `crm2`, ... are `adapters`, with further `sections` of the TOML.

    The `options`, and what they are asked `by`, are those of all sources.
    """
    names = [f"crm{place or ''}" for place in range(1, len(adapters) + 1)]
    names[:1] = ["crm"]
    sources = [
        {"name": name, "role": role, "timeout": timeout}
        for name, role, timeout in zip(
            names, roles or ["find"] * len(adapters), timeouts or [1] * len(adapters), strict=True
        )
    ]
    sources = [{**each, "adapter": "fake", "by": [*by], "attempts": 1, "options": options or {}} for each in sources]
    tree = {"switch": {"default": "queue/200"}, "sources": sources, **sections}
    settings = Settings(**tree)
    return Configuration(settings, tuple(map(ConfiguredSource, settings.sources, adapters)), written=tree)
