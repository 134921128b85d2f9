"""Where what comes over a connection is cut."""

import pytest

from proxy.web.pieces import Pieces

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
MOST = 100


def cut(*came: bytes, is_in_a_body: bool = False) -> list[bytes]:
    pieces, taken = Pieces(MOST), []
    for data in came:
        pieces.add(data)
        while pieces:
            taken.append(pieces.take(is_in_a_body=is_in_a_body))
    return taken


def test_a_head_is_a_piece_by_itself() -> None:
    assert cut(HEAD) == [HEAD]
    assert cut(HEAD, HEAD) == [HEAD, HEAD]
    assert cut(HEAD + HEAD + b"telefon=1") == [HEAD, HEAD, b"telefon=1"]


@pytest.mark.parametrize("place", range(1, len(HEAD)))
def test_it_is_one_too_when_it_comes_in_two_parts(place: int) -> None:
    assert cut(HEAD[:place], HEAD[place:] + b"\0") == [HEAD[:place], HEAD[place:], b"\0"]


def test_it_is_one_too_when_it_comes_in_single_bytes() -> None:
    single = [HEAD[place : place + 1] for place in range(len(HEAD))]
    assert cut(*single[:-1], single[-1] + b"\0") == [*single, b"\0"]


@pytest.mark.parametrize("blank", [b"\r\n", b"\r\n\r\n", b"\n\n\r", b"\r\n" * 30])
def test_blank_lines_behind_a_head_go_with_it(blank: bytes) -> None:
    assert cut(HEAD + blank) == [HEAD + blank]
    assert cut(HEAD + blank + HEAD) == [HEAD + blank, HEAD]
    assert cut(HEAD + blank + b"\0") == [HEAD + blank, b"\0"]
    assert cut(blank + HEAD)[-1].endswith(HEAD)


def test_no_piece_is_longer_than_it_may_be() -> None:
    assert cut(b"x" * 250) == [b"x" * 100, b"x" * 100, b"x" * 50]
    assert cut(b"x" * 98 + b"\r\n\r\n" + HEAD) == [b"x" * 98 + b"\r\n", b"\r\n", HEAD]
    assert max(map(len, cut(b"\r\n" * 1000))) == MOST


def test_a_body_is_cut_behind_the_last_end_that_there_is() -> None:
    assert cut(b"a\r\n\r\nb\r\n\r\n" + HEAD + b"\0", is_in_a_body=True) == [b"a\r\n\r\nb\r\n\r\n" + HEAD, b"\0"]
    assert len(cut(b"x\r\n\r\n" * 1000, is_in_a_body=True)) <= 60


def test_all_can_be_taken_at_once() -> None:
    pieces = Pieces(MOST)
    pieces.add(HEAD + b"x" * 200)
    assert pieces.take(is_in_a_body=False) == HEAD
    assert pieces.take_all() == b"x" * 200
    assert not pieces
    assert pieces.take(is_in_a_body=False) == b""


def test_nothing_is_lost_and_nothing_comes_twice_however_it_comes() -> None:
    sent = (HEAD + b"\r\n" + HEAD + b"x" * 150 + b"\r\n\r\n\0" + HEAD) * 3
    for size in range(1, 120):
        came = [sent[place : place + size] for place in range(0, len(sent), size)]
        for is_in_a_body in (False, True):
            assert b"".join(cut(*came, is_in_a_body=is_in_a_body)) == sent
