"""A streamed response as it may be kept: redacted as a whole at its end, and, while it is open, as far as it is judged.

What one says in words comes in many events, so a secret may be spread over several. The texts of the deltas are put
together by their places in the events; what is found in one gives way to a placeholder in the event in which it begins,
and to nothing in the others. Of an open stream those events may be kept whose words no continuation can make part of
a find; the default redactor can tell that of whole lines.

Always holds: what `ready` gives holds no part of a find, and neither does what follows it; events in which nothing was
found stay as they came; details of tokens are given only with a whole response in which nothing was found.

Knows server-sent events with JSON; of a stream's end, no more than it is told.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from journeyman.capture.leaves import (
    TOKEN_DETAILS,
    dumped,
    is_telling,
    leaves,
    loaded,
    looks_like_json,
    rebuilt,
    without_token_details,
)
from journeyman.capture.redaction import Counts, Edit, Kept, Redaction, placeholder

_EVENT_ENDS = re.compile(rb"\r?\n\r?\n")
_TOKENS = re.compile(rb'"(?:' + "|".join(sorted(TOKEN_DETAILS)).encode() + rb')"\s*:\s*[\[{]')
# Which of many streams of words an event of /v1/responses belongs to.
_WHOSE = ("type", "item_id", "output_index", "content_index", "summary_index")
_AT_ONCE = ("role", "type", "id", "name")  # no engine spreads these
_FORMS = 64  # of events, but for their deltas, that are known again; an engine that gives each its own has more
Path = tuple[str | int, ...]
Place = tuple[Hashable, ...]
# Where a text stands in an event, which channel it goes on with (None: it stands by itself), its field's name, itself.
_Text = tuple[Path, Place | None, str, Any]


@dataclass
class _Channel:
    """The text that the deltas of one place make up, and how far it is settled."""

    text: str = ""
    judged: int = 0
    settled: int = 0
    edits: list[Edit] = field(default_factory=list)

    def piece(self, start: int, end: int) -> str:
        """What takes the place of the text from `start` to `end`; a placeholder stands where its find begins."""
        parts, at = [], start
        for first, last, word in self.edits:
            if last <= start or first >= end:
                continue
            parts += [self.text[at:first], word] if first >= start else []
            at = min(last, end)
        return "".join([*parts, self.text[at:end]])


@dataclass
class _Event:
    """One event as it came, and its part in the channels: where in its value, from, to. `changed`: what it holds beside
    these and may not keep, each with its new form."""

    raw: bytes
    pieces: list[tuple[Path, _Channel, int, int]] = field(default_factory=list)
    changed: Mapping[str, str] = field(default_factory=dict)


class RedactedStream:
    """Give it what comes (`add`), ask it at times what may be kept by now (`ready`), and at the end for all (`end`).

    tokens: whether details of tokens may be kept where nothing is found.
    """

    def __init__(self, redaction: Redaction, *, tokens: bool = True) -> None:
        self._redaction, self._tokens = redaction, tokens
        self._new = bytearray()
        self._events: list[_Event] = []
        self._given = 0
        self._channels: dict[Place, _Channel] = {}
        self._clean: set[tuple[str, str]] = set()  # what stands beside the deltas is much the same in all events
        self._known: dict[tuple[bytes, str], tuple[Path, Place]] = {}
        self._counts: Counts = Counter()
        self._lock = threading.Lock()  # `ready` may still run in a thread when a server that ends asks for the end
        self._ended = False
        self.size = 0

    def add(self, data: bytes) -> None:
        self._new += data
        self.size += len(data)

    def ready(self) -> bytes:
        """What may be kept by now, beyond what was given before."""
        with self._lock:
            return b"" if self._ended else self._ready()

    def end(self, *, whole: bool) -> Kept:
        """All of it. An event that was cut in its middle is left out; so are the last words of a response that is not
        whole, as far as they may be the beginning of something."""
        with self._lock:
            self._ended = True
            return self._end(whole)

    def _ready(self) -> bytes:
        self._read()
        for channel in self._channels.values():
            if channel.judged < len(channel.text) and not looks_like_json(channel.text):
                self._settle(channel)
        kept = bytearray()
        for event in self._events[self._given :]:
            if any(end > channel.settled for _, channel, _, end in event.pieces):
                break
            kept += self._kept(event, tokens=False)[0]
            self._given += 1
        return bytes(kept)

    def _end(self, whole: bool) -> Kept:
        self._read()
        if not self._new.strip() or whole:  # some engines leave out the end of the last event
            self._take(bytes(self._new))
        counts = self._counts.copy()
        for channel in self._channels.values():
            channel.edits = self._redaction.edits(channel.text, counts, whole=whole)
        tokens = self._tokens and not counts
        if tokens and not any(channel.edits for channel in self._channels.values()):
            return Kept(b"".join(event.raw for event in self._events))
        kept, left_out = bytearray(), set[str]()
        for event in self._events:
            data, names = self._kept(event, tokens=tokens)
            kept += data
            left_out.update(names)
        return Kept(bytes(kept), counts, sorted(left_out))

    def _read(self) -> None:
        """Take the events that have come to their end since."""
        at = 0
        for found in _EVENT_ENDS.finditer(self._new):
            self._take(bytes(self._new[at : found.end()]))
            at = found.end()
        del self._new[:at]

    def _take(self, raw: bytes) -> None:
        event = _Event(raw)
        self._events.append(event)
        around = _around_delta(raw)
        if around and (known := self._known.get(around[1:])):  # all but its delta was read before
            self._sort(event, _texts(around[0], *known, "delta", True), set())
            return
        said, others = _lines(raw)
        lost: list[Any] = []
        value = _value(said, lost)
        texts = _texts(value, (), _whose(value), "", isinstance(value, str))
        self._sort(event, texts, {("", others), *leaves(lost, "")})
        if around and not event.changed and not lost and len(self._known) < _FORMS:
            self._learn(*around[1:])

    def _sort(self, event: _Event, texts: Iterable[_Text], beside: set[tuple[str, str]]) -> None:
        """What is spread goes to its channels, and what stands by itself is judged, if it has not been."""
        for path, place, name, text in texts:
            if place is None:
                if not isinstance(text, str) or (name, text) not in self._clean:
                    beside.update(leaves(text, name, TOKEN_DETAILS))
                continue
            channel = self._channels.setdefault(place, _Channel())
            event.pieces.append((path, channel, len(channel.text), len(channel.text) + len(text)))
            channel.text += text
        if new := sorted(beside - self._clean):
            event.changed = self._redaction.changed(new, self._counts)
            self._clean.update(each for each in new if each[1] not in event.changed)

    def _learn(self, before: bytes, after: str) -> None:
        """Where the delta stands in events that are like this one but for it."""
        mark = "\0delta"
        said, _ = _lines(before + json.dumps(mark).encode() + after.encode())
        value = _value(said, [])
        texts = _texts(value, (), _whose(value), "", False)
        places = [(path, place) for path, place, _, text in texts if text == mark]
        if len(places) == 1 and places[0][0][-1] == "delta" and places[0][1] is not None:
            self._known[before, after] = places[0][0], places[0][1]

    def _settle(self, channel: _Channel) -> None:
        settled = self._redaction.settled(channel.text) or 0
        found = self._redaction.spans(channel.text)
        settled = min([settled, *(start for start, end, _ in found if end > settled)])
        channel.settled = max(channel.settled, settled)
        channel.edits = [(start, end, placeholder(kind)) for start, end, kind in found if end <= channel.settled]
        channel.judged = len(channel.text)

    def _kept(self, event: _Event, *, tokens: bool) -> tuple[bytes, list[str]]:
        """An event as it may be kept, and which details of tokens went."""
        edited = [each for each in event.pieces if each[1].edits]
        new = [(path, channel.piece(start, end), channel.text[start:end]) for path, channel, start, end in edited]
        changed = [(path, text) for path, text, before in new if text != before]
        if not changed and not event.changed and (tokens or not _TOKENS.search(event.raw)):
            return event.raw, []
        said, others = _lines(event.raw)
        value = _value(said, [])
        for path, text in changed:
            value = _with(value, path, text)
        value, others = rebuilt(value, event.changed), event.changed.get(others, others)
        names = [] if tokens else without_token_details(value)
        text = said if value is None else value if isinstance(value, str) else dumped(value)
        lines = [others] if others else []
        lines += [f"data: {line}" for line in text.split("\n")]
        return "\n".join(lines).encode(errors="replace") + b"\n\n", names


def _around_delta(raw: bytes) -> tuple[Any, bytes, str] | None:
    """An event's delta, and what stands before and after it."""
    before, found, rest = raw.partition(b'"delta":')
    if not found:
        return None
    try:
        text = rest.decode()
        delta, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip()))
    except (ValueError, RecursionError):
        return None
    return delta, before + found, text[end:]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a field is given twice")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _whose(value: Any) -> Place:
    """Which of several streams of words an event belongs to, where it says so beside its delta."""
    return tuple(str(value.get(name)) for name in _WHOSE) if isinstance(value, dict) and "type" in value else ()


def _lines(raw: bytes) -> tuple[str, str]:
    """The data of an event, and its other lines."""
    lines = raw.decode(errors="replace").replace("\r\n", "\n").strip("\n").split("\n")
    data = [line[5:].removeprefix(" ") for line in lines if line.startswith("data:")]
    return "\n".join(data), "\n".join(line for line in lines if line and not line.startswith("data:"))


def _value(said: str, lost: list[Any]) -> Any:
    """The JSON of an event; its text where it is none, nothing for what only says that the stream ends."""
    if said == "[DONE]":
        return None
    try:
        return loaded(said, lost)
    except (ValueError, RecursionError):
        return said


def _texts(value: Any, path: Path, place: Place, name: str, spread: bool) -> Iterator[_Text]:
    """What there is to read in an event. Deltas are spread over events; a list's elements may say by their `index`
    which one they go on with."""
    if isinstance(value, dict):
        for key, each in value.items():
            if is_telling(key):
                yield path, None, "", key
            if key not in TOKEN_DETAILS:
                yield from _texts(
                    each, (*path, key), (*place, key), key, (spread or key == "delta") and key not in _AT_ONCE
                )
    elif isinstance(value, list):
        for number, each in enumerate(value):
            index = each.get("index", number) if isinstance(each, dict) else number
            yield from _texts(each, (*path, number), (*place, str(index)), name, spread)
    elif spread and isinstance(value, str):
        yield path, place, name, value
    else:
        yield path, None, name, value


def _with(value: Any, path: Path, text: str) -> Any:
    """The value with this text at that place; it is changed itself."""
    if not path:
        return text
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = text
    return value
