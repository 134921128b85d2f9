"""The ways to answer that a switch may bear or not."""

import json
from collections.abc import Callable
from dataclasses import dataclass


def _as_it_is(body: bytes) -> bytes:
    return body


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to answer, which a switch may bear or not."""

    name: str
    does: str
    """What it does, for a person: `answering after 8 s`"""
    seconds: float = 0.0
    spoken: str = ""
    """What the caller hears of it after `Deneme`, where that is not its name"""
    status: int = 200
    body: Callable[[bytes], bytes] = _as_it_is
    """What becomes of a good answer's body"""
    is_closed: bool = False
    """The connection is closed in the place of an answer"""

    @property
    def is_proper(self) -> bool:
        """Whether the answer is as it should be, however late."""
        return self.body is _as_it_is and not self.is_closed


def late(seconds: float) -> Trial:
    """Return the trial of an answer that is good, and late."""
    return Trial(f"{seconds:g}", f"answering after {seconds:g} s", seconds)


def _without_target(body: bytes) -> bytes:
    answer = json.loads(body)
    answer.get("transfer", answer).pop("target")
    return json.dumps(answer, ensure_ascii=False).encode()


TRIALS = (
    *map(late, (0, 1, 2, 3, 5, 8, 13, 20, 30)),
    Trial("500", "answering HTTP 500", status=500, body=lambda _: b"Internal Server Error"),
    Trial("404", "answering HTTP 404", status=404, body=lambda _: b"Not Found"),
    Trial("json", "answering JSON that breaks off", spoken="yarım", body=lambda body: body[: len(body) // 2]),
    Trial("empty", "answering an empty body", spoken="boş", body=lambda _: b""),
    Trial("no-target", "answering JSON without a target", spoken="hedefsiz", body=_without_target),
    Trial("closed", "closing the connection without an answer", spoken="kapalı", is_closed=True),
)
