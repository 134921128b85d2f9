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


@pytest.mark.parametrize("before", [b"", HEAD, b"telefon=1\r\n\r"])
@pytest.mark.parametrize("behind", [b"", HEAD, b"\n", b"\n\r\n", b"\r\n", b"GET"])
def test_a_head_and_nothing_else_is_taken_whole_as_if_it_had_been_cut(before: bytes, behind: bytes) -> None:
    at_once, cut_up = Pieces(MOST), Pieces(MOST)
    for pieces in (at_once, cut_up):
        pieces.add(before)
        pieces.take_all()
    assert at_once.take_whole(HEAD)
    cut_up.add(HEAD)
    assert cut_up.take_all() == HEAD
    assert not at_once
    for pieces in (at_once, cut_up):
        pieces.add(behind)
    for _ in range(3):
        assert at_once.take(is_in_a_body=False) == cut_up.take(is_in_a_body=False)


@pytest.mark.parametrize(
    "data", [b"", b"\0", HEAD[:-1], HEAD + b"\n", HEAD + HEAD, HEAD + b"telefon=1", b"x" * (MOST - 3) + b"\r\n\r\n"]
)
def test_anything_else_is_not(data: bytes) -> None:
    pieces = Pieces(MOST)
    assert not pieces.take_whole(data)
    assert not pieces
    pieces.add(data)
    assert cut(data)[:1] == [pieces.take(is_in_a_body=False)] * bool(data)


def test_nor_is_a_head_before_which_something_is_not_read() -> None:
    pieces = Pieces(MOST)
    pieces.add(b"GET ")
    assert not pieces.take_whole(HEAD)
    assert pieces.take_all() == b"GET "
