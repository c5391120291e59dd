"""What is taken out before anything is kept: secrets, card numbers and e-mail addresses, or what a hook finds.

What was found gives way to a word for its kind, such as "[e-mail]". The engine and the client still get what was sent.

Always holds: a placeholder tells nothing of what it stands for, and nothing is kept from which it could be told: no
copy, no hash, no number; JSON stays JSON, also inside of a tool call's arguments; where nothing was found, the bytes
are what they were; where a hook fails, what it was to judge is not kept at all.

Knows texts and bodies; what a secret looks like is `redactors`' to know, and what a stream is `redacted_stream`'s.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

from journeyman.capture.leaves import (
    TOKEN_DETAILS,
    dumped,
    json_in,
    leaves,
    loaded,
    looks_like_json,
    rebuilt,
    unescaped,
    without_token_details,
)
from journeyman.capture.redactors import Redactor, Span, named
from journeyman.errors import RedactionError
from journeyman.records import PLACEHOLDER

Edit = tuple[int, int, str]  # from, to, and what takes its place
Counts = Counter[str]  # by kind
Read = tuple[Any, list[Any]]  # a JSON value, and what it does not hold of the text that it was read from
LARGE = 1 << 16  # bytes; more is judged in a thread, so that others need not wait
_LONG = 64  # characters; what was found in a longer text is known again: clients send a conversation each time anew
_KNOWN = 1 << 16  # such texts, at most
_KIND = re.compile(r"[a-z][a-z -]{0,30}")
_SURROGATE = re.compile("[\ud800-\udfff]")
T = TypeVar("T")


@dataclass
class Redaction:
    """One for all that a process keeps; what it knows again lives as long as the process: of texts marks that are made
    with a key, and where in them something was found, those used longest ago let go first."""

    find: Redactor
    _salt: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _seen: OrderedDict[bytes, Sequence[Span]] = field(default_factory=OrderedDict, repr=False)
    _tenants: dict[str, Redaction] = field(default_factory=dict, repr=False)

    def of(self, tenant: str) -> Redaction:
        """The same for one tenant: what it knows again, no other does, and how soon it answers tells no other of it."""
        if tenant not in self._tenants:
            salt = hashlib.blake2b(tenant.encode(errors="surrogatepass"), key=self._salt, digest_size=32).digest()
            self._tenants[tenant] = Redaction(self.find, salt, self._seen)
        return self._tenants[tenant]

    def spans(self, text: str) -> list[Span]:
        """What is found in `text`, from left to right and apart; RedactionError if the hook fails."""
        try:
            found = sorted((start, end, kind) for start, end, kind in self.find(_spelt(text)))
            if not all(0 <= start < end <= len(text) and _KIND.fullmatch(kind) for start, end, kind in found):
                raise ValueError("a span that is none")
        except Exception as error:  # its words may hold what it was to find
            raise RedactionError(type(error).__name__) from None
        return _apart(span for span in found if not _is_placeholder(text, span[0], span[1]))

    def settled(self, text: str, *, ended: bool = False) -> int | None:
        """How much of a text that goes on, or that was cut, is judged for good; None where the hook cannot tell."""
        settled = getattr(self.find, "settled", None)
        if settled is None:
            return None
        try:
            return max(0, min(len(text), int(settled(_spelt(text), ended))))
        except Exception as error:
            raise RedactionError(type(error).__name__) from None

    def edits(self, text: str, counts: Counts, *, whole: bool = True) -> list[Edit]:
        """What has to change in a text that may itself be JSON. Of one that was cut (not `whole`) the end goes too,
        which may be the beginning of something."""
        value = json_in(text)
        if value is not None:
            redacted = self.value(value, counts)
            return [] if redacted is value else [(0, len(text), dumped(redacted))]
        found = self.spans(text)
        cut_json = looks_like_json(text)
        if cut_json and "\\" in text and len(hidden := self.spans(unescaped(text))) > len(found):
            counts.update(kind for _, _, kind in hidden)  # what its escapes hide has no place in it
            return [(0, len(text), placeholder(hidden[0][2]))]
        end = len(text)
        if not whole and (settled := self.settled(text, ended=True)) is not None:
            end = text.rfind('"') + 1 if cut_json and '"' in text else settled  # of JSON, the strings that have an end
        found = [span for span in found if span[0] < end]
        counts.update(kind for _, _, kind in found)
        edits = [(start, stop, placeholder(kind)) for start, stop, kind in found]
        end = max([end, *(stop for _, stop, _ in found)])
        return edits if end == len(text) else [*edits, (end, len(text), "")]

    def text(self, text: str, counts: Counts) -> str:
        """A text without what is found in it."""
        return edited(text, self.edits(text, counts))

    def value(self, value: Any, counts: Counts, lost: Sequence[Any] = (), skip: frozenset[str] = frozenset()) -> Any:
        """A JSON value without what is found in its texts, long numbers and fields' names: the same object if that is
        nothing. `lost` is judged with it: what the value does not hold, but the text that it was read from; fields
        named in `skip` are not."""
        try:
            changed = self.changed([*leaves(value, "", skip), *leaves(list(lost), "")], counts)
            return rebuilt(value, changed) if changed else value
        except RecursionError as error:
            raise RedactionError(type(error).__name__) from None

    def changed(self, texts: Iterable[tuple[str, str]], counts: Counts) -> dict[str, str]:
        """Those of the texts that hold something, each with its new form. They are read at once, a line each."""
        lines, starts, read, size = list[str](), list[int](), list[tuple[bytes, int, str]](), 0
        found: dict[str, list[Span]] = {}

        def note(text: str, spans: Sequence[Span]) -> None:
            if spans:
                found.setdefault(text, []).extend(spans)
                counts.update(kind for _, _, kind in spans)

        for name, text in texts:
            mark = self._mark(name, text) if len(text) >= _LONG else b""
            if mark and (known := self._seen.pop(mark, None)) is not None:
                self._seen[mark] = known  # the newest now
                note(text, known)
                continue
            lines.append(f"{name}: {text}\n")
            starts.append(size + len(name) + 2)
            read.append((mark, size, text))
            size += len(lines[-1])
        new: dict[int, list[Span]] = {}
        beyond = set[int]()  # the places of texts that share a find with others: it is not theirs alone
        for start, end, kind in self.spans("".join(lines)) if lines else ():
            for place in range(max(0, bisect_right(starts, start) - 1), bisect_right(starts, end - 1)):
                at, (_, line, text) = starts[place], read[place]
                if (first := max(start, at)) < (last := min(end, at + len(text))):
                    new.setdefault(place, []).append((first - at, last - at, kind))
                    if start < line or end > at + len(text):
                        beyond.add(place)
        for place, (mark, _, text) in enumerate(read):
            note(text, spans := new.get(place, []))
            if mark and place not in beyond:
                self._seen[mark] = tuple(spans)
        while len(self._seen) > _KNOWN:
            self._seen.popitem(last=False)
        return {
            text: edited(text, [(start, end, placeholder(kind)) for start, end, kind in _apart(sorted(spans))])
            for text, spans in found.items()
        }

    def request(self, body: bytes, read: Read | None = None) -> Kept:
        """A request as it may be kept. `read`: its value and what that does not hold, if it has been read before."""
        return self._body(body, frozenset(), whole=True, tokens=True, read=read)

    def response(self, body: bytes, *, whole: bool, tokens: bool) -> Kept:
        """A response as it may be kept; without what it says of its tokens if anything is found in it, or if `tokens`
        may not stay. These are not read: what they spell is in the text."""
        return self._body(body, TOKEN_DETAILS, whole=whole, tokens=tokens)

    def _body(self, body: bytes, skip: frozenset[str], *, whole: bool, tokens: bool, read: Read | None = None) -> Kept:
        counts: Counts = Counter()
        lost: list[Any] = []
        try:
            value, lost = read or (loaded(body, lost), lost)
        except (ValueError, RecursionError):
            text = body.decode(errors="surrogateescape")
            edits = self.edits(text, counts, whole=whole)
            kept = edited(text, edits).encode(errors="surrogateescape") if edits else body
            return Kept(kept, counts)
        redacted = self.value(value, counts, lost, skip)
        left_out = without_token_details(redacted) if skip and (counts or not tokens) else []
        same = not counts and not left_out
        return Kept(body if same else dumped(redacted).encode(), counts, left_out)

    def name(self, name: str, counts: Counts) -> str:
        """A name that stays apart from others while this process lives, and tells nothing afterwards: its mark is made
        with a key that is nowhere kept."""
        if not name or not (edits := self.edits(name, counts)):
            return name
        return f"{edited(name, edits)} {self._mark('', name).hex()[:8]}"

    def _mark(self, name: str, text: str) -> bytes:
        """Stands for a text in a field of this name, in this process and nowhere else."""
        said = f"{name}\0{text}".encode(errors="surrogatepass")
        return hashlib.blake2b(said, key=self._salt, digest_size=16).digest()


@dataclass(frozen=True)
class Kept:
    """A body as it may be kept; how many finds of each kind it held; which details of tokens went with them; and why
    nothing of it may be kept, where that is so."""

    body: bytes
    counts: Counts = field(default_factory=Counter)
    left_out: Sequence[str] = ()
    failed: str = ""

    def prompt_stays(self, asked: Mapping[str, Any]) -> bool:
        """Whether a request is kept with all that a model is shown of it."""
        if not self.counts and not self.failed:
            return True
        kept = self.value
        return all(kept.get(name) == asked[name] for name in asked if name not in ("user", "metadata"))

    @cached_property
    def value(self) -> dict[str, Any]:
        """Of a request: the body as it may be kept."""
        return json.loads(self.body)

    def noted(self, what: str) -> dict[str, Any]:
        """What an exchange's details say of it."""
        counts = {what: dict(sorted(self.counts.items()))} if self.counts else {}
        left_out = {"left_out": list(self.left_out)} if self.left_out else {}
        return counts | left_out | ({"failed": self.failed} if self.failed else {})


async def aside(size: int, work: Callable[[], T], large: int = LARGE) -> T:
    """Do `work` here, or, if it is on much, in a thread."""
    return work() if size < large else await asyncio.to_thread(work)


async def as_kept(redaction: Redaction | None, body: bytes, read: Read) -> Kept:
    """A request, and what was read from it, as it may be kept; without a hook that works, nothing of it."""
    if redaction is None:
        return Kept(body)
    try:
        return await aside(len(body), partial(redaction.request, body, read))
    except RedactionError as error:
        return Kept(b"{}", failed=error.kind)


def asked_for(how: str) -> Redaction | None:
    """By the name of its redactor (`redactors.named`); None: nothing is to be taken out."""
    redactor = named(how)
    return Redaction(redactor) if redactor else None


def is_as_the_engine_gave_it(redacted: Mapping[str, Any]) -> bool:
    """Whether what is kept of a response is all of it, by what its exchange's details say."""
    return not {"response", "left_out", "failed"} & redacted.keys()


def placeholder(kind: str) -> str:
    return f"[{kind}]"


def edited(text: str, edits: Sequence[Edit]) -> str:
    """`text` after `edits`, which are apart and in order."""
    parts, at = [], 0
    for start, end, word in edits:
        parts += [text[at:start], word]
        at = end
    return "".join([*parts, text[at:]])


def _spelt(text: str) -> str:
    """As a library takes it, at the same length: half of a surrogate pair stands for no character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that overlap made one."""
    apart: list[Span] = []
    for start, end, kind in spans:
        if apart and start < apart[-1][1]:
            first, last, other = apart[-1]
            apart[-1] = first, max(last, end), "secret" if "secret" in (kind, other) else other
        else:
            apart.append((start, end, kind))
    return apart


def _is_placeholder(text: str, start: int, end: int) -> bool:
    """Whether what was found is what stands for an earlier find."""
    return any(
        each.start() <= start and end <= each.end() for each in PLACEHOLDER.finditer(text, max(0, start - 40), end + 40)
    )
