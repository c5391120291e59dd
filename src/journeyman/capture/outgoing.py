"""A stream on its way to the client: marked with its receipt, and every reply's end held back until it may leave.

From the event that ends a reply its client has all that was sampled for it, so this event waits until the whole answer
is durable. Where several replies are made at once (`n`), those that have not ended go on meanwhile.

Always holds: what leaves is whole events as the engine sent them, each once, but for the mark in the first; the events
of one reply leave in the order in which they came.

Knows server-sent events in OpenAI's format; nothing of stores or clients.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise

# Each pattern begins with plain text, which makes the search of every piece a quick one.
_ENDS = (
    re.compile(rb'"finish_reason"\s*:\s*"[^"]'),
    re.compile(rb'"type"\s*:\s*"response\.(?:completed|incomplete|failed)"'),
    re.compile(rb"data: ?\[DONE\]"),
)
_DONE = re.compile(rb"data: ?\[DONE\]\r?\n\r?\n")
_FIRST = re.compile(rb'data: ?\{(?=\s*")')
_EVENT_ENDS = re.compile(rb"\n\r?\n")
_DATA = re.compile(rb"^data:(.*)$", re.MULTILINE)


class Outgoing:
    """Give it what comes (`passed`), and have what may leave; `rest` is what may not yet. `mark`: the field, with its
    name, that the first event gets. `done`: the engine has said that nothing follows."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._new, self._held = bytearray(), bytearray()
        self._ended: set[int] = set()  # replies of which nothing may leave any more, by their index
        self._ending = self.done = False

    def passed(self, piece: bytes) -> bytes:
        self._new += piece
        if self._mark and (found := _FIRST.search(self._new)):
            self._new[found.end() : found.end()] = self._mark + b","
            self._mark = b""
        ready = b""
        if not self._ending:
            end = _end(self._new)
            self._ending = end is not None
            # Whole events only: the end of one that has not come yet may be what has to be held back.
            ready = self._taken(_whole_events(self._new, end))
        if self._ending:
            ready += b"".join(filter(self._goes_on, self._events()))
        return ready

    @property
    def rest(self) -> bytes:
        return bytes(self._held + self._new)

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._new[:size])
        del self._new[:size]
        return taken

    def _events(self) -> list[bytes]:
        """Those that have come to their end, taken out of what is new."""
        ends = [0, *(found.end() for found in _EVENT_ENDS.finditer(self._new))]
        events = [bytes(self._new[start:end]) for start, end in pairwise(ends)]
        self._taken(ends[-1])
        return events

    def _goes_on(self, event: bytes) -> bool:
        """Whether it is of replies alone that have not ended; else it is held."""
        replies = _replies(event)
        if replies and not replies & self._ended and _end(event) is None:
            return True
        self._ended |= replies  # what follows it must not overtake it
        self._held += event
        self.done = self.done or _DONE.search(event) is not None
        return False


def _end(data: bytes | bytearray) -> int | None:
    """Where the first event that ends a reply says so."""
    found = [match.start() for pattern in _ENDS[:-1] if (match := pattern.search(data))]
    for match in _ENDS[-1].finditer(data):
        if match.start() == 0 or data[match.start() - 1] == ord("\n"):  # else it is a text that says so
            found.append(match.start())
            break
    return min(found, default=None)


def _whole_events(data: bytearray, stop: int | None) -> int:
    """How many of the first `stop` bytes (None: of all) are events that have come to their end."""
    stop = len(data) if stop is None else stop
    unix, windows = data.rfind(b"\n\n", 0, stop), data.rfind(b"\n\r\n", 0, stop)
    return max(unix + 2 if unix >= 0 else 0, windows + 3 if windows >= 0 else 0)


def _replies(event: bytes) -> set[int]:
    """Which of an answer's replies an event is of; none if it does not say so."""
    try:
        choices = json.loads(b"\n".join(_DATA.findall(event)))["choices"]
        return {int(choice.get("index") or 0) for choice in choices}
    except (ValueError, OverflowError, RecursionError, TypeError, KeyError, AttributeError):
        return set()
