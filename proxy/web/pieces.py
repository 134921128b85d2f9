"""Cuts what comes over a connection, so that aiohttp's parser gets the head of each request by itself."""

_END = b"\r\n\r\n"


class Pieces:
    """What has come over a connection and is not read yet, in pieces of at most `most` bytes.

    A piece ends where a head may. Where something that is no request stands behind a good one in the same piece, the
    parser complains of it and forgets the good one. In a piece that begins in a body, that may still happen.
    """

    __slots__ = ("_came", "_most", "_place")

    def __init__(self, most: int) -> None:
        self._most = most
        self._came = b""
        self._place = 0
        """Where the next piece begins; before it there are a few bytes, as an end may come in two parts"""

    def __bool__(self) -> bool:
        return self._place < len(self._came)

    def add(self, data: bytes) -> None:
        """Take in what has come."""
        read = min(self._place, len(_END) - 1)
        self._came = self._came[self._place - read :] + data
        self._place = read

    def take_whole(self, data: bytes) -> bool:
        """Take in what has come, and take it at once, if that is a head and nothing else; tell whether it is."""
        is_one = not self and 0 <= data.find(_END) == len(data) - len(_END) <= self._most - len(_END)
        if is_one:
            self._came, self._place = data, len(data)
        return is_one

    def take(self, *, is_in_a_body: bool) -> bytes:
        """Return the next piece, with any blank lines behind a head; an empty one when all is read.

        What stands in a body is no head, and so a piece of it may have many ends.
        """
        came, place, end = self._came, self._place, self._place + self._most
        find = came.rfind if is_in_a_body else came.find
        found = find(_END, max(place - len(_END) + 1, 0), end)
        if found >= 0:
            behind = came[found + len(_END) : end]
            end = min(end, len(came)) - len(behind.lstrip(b"\r\n"))
        self._place = min(end, len(came))
        return came[place:end]

    def take_all(self) -> bytes:
        """Return all that is not read in one piece."""
        place, self._place = self._place, len(self._came)
        return self._came[place:]
