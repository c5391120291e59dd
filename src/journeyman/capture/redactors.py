"""What finds the things that are not to be kept: the default, or a hook of the user's own.

A redactor takes a text and gives spans of it, each with its kind in plain words. It may have a method
`settled(text, ended) -> int`, which tells how much of a text that goes on no continuation can make part of a find,
other than of those that are found in it now; of one that has `ended` because it was cut, how much is not the beginning
of one. Without it nothing of an open answer is kept before its end, and of a cut one all.

Always holds: the default needs no network, and gives the same spans for the same text.

Knows the libraries; nothing of what is done with the spans.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import cast

from journeyman.errors import MissingExtraError, UsageError

Span = tuple[int, int, str]  # from, to (in characters), and the kind of what is there: lower-case words
Redactor = Callable[[str], Iterable[Span]]
DEFAULT, NONE = "default", "none"
# How cards show their digits (ISO/IEC 7812): `_SHAPE` leaves of a text the digits, and what may stand between them.
_LAYOUTS = (b"0000-0000-0000-0000", b"0000-000000-00000", *(b"0" * digits for digits in range(13, 20)))
_SHAPE = bytes(ord("0") if chr(code) in "0123456789" else ord("-") if chr(code) in " -" else 0 for code in range(256))
_OURS = """ruleset-revision: 1
detector: journeyman-key
specificity: contextual
prefix: "jm_"
alphabet: alnum-dash
run: exact 43
validator: none
"""


class Usual:
    """The default: secrets by redact-secret, e-mail addresses and card numbers (by their check digit) by datafog-core.

    No find goes over the end of a line but those that redact-secret holds back itself, such as keys in PEM blocks.
    """

    def __init__(self) -> None:
        try:
            import datafog_core
            import redact_secret
        except ImportError as error:
            raise MissingExtraError(
                f"what is kept cannot be redacted without {error.name}",
                'pip install "journeyman[serve]", or give --redact none',
            ) from error
        most = 1 << 20
        least = redact_secret.IncrementalLimits.minimum_buffered_bytes(most, most)
        self._limits = redact_secret.IncrementalLimits(
            max_input_bytes=1 << 28, max_buffered_bytes=least, max_token_bytes=most, max_multiline_bytes=most
        )
        self._secrets, self._session = redact_secret.scan, redact_secret.IncrementalSanitizer
        self._error, self._personal = redact_secret.SecretScanError, datafog_core.scan

    def __call__(self, text: str) -> Iterator[Span]:
        for find in self._secrets(text, ruleset=_OURS):
            yield find.start, find.end, "secret"
        for find in self._personal(text, {"entities": ["EMAIL"]}) if "@" in text else ():
            yield find.codepoint_range.start, find.codepoint_range.end, "e-mail"
        # It takes the "12" of "4111 1111 1111 1111 12/27" for the card's, and finds none: so each is shown by itself.
        places = list(_card_places(text))
        starts = accumulate((end - start + 1 for start, end in places), initial=0)
        by_start = dict(zip(starts, places, strict=False))
        lines = "\n".join(text[start:end] for start, end in places)
        for find in self._personal(lines, {"entities": ["CREDIT_CARD"]}) if places else ():
            yield *by_start[find.codepoint_range.start], "card number"

    def settled(self, text: str, ended: bool) -> int:
        if ended:  # what may have begun: the last word, and groups of digits; and a block of lines that has no end
            words = text[: max(map(text.rfind, " \n\t\r"), default=-1) + 1]
            digits = words[len(words.rstrip("0123456789 -")) :]
            whole = words.removesuffix(digits) if any(map(str.isdigit, digits)) else words
            return min(len(whole), self._let_go(whole + "\n"))
        return self._let_go(text)

    def _let_go(self, text: str) -> int:
        # What a session has let go, its finds counted at their length.
        session = self._session(self._limits, lambda *_: "redact", lambda *_: "<X>")
        try:
            result = session.append(text)
        except self._error:  # a line longer than a session takes
            return 0
        finally:
            session.abort()
        return len(result.text) + sum(find.end - find.start - len("<X>") for find in result.findings)


def _card_places(text: str) -> Iterator[tuple[int, int]]:
    """Where digits stand as a card's do, and are not those of a number with a point."""
    shape = text.encode("ascii", "replace").translate(_SHAPE)
    for layout in _LAYOUTS:
        start = shape.find(layout)
        while start >= 0:
            end = start + len(layout)
            beside = shape[max(0, start - 1) : start] + shape[end : end + 1]
            # Of a number with a point; a comma may as well end the cell before, of a table.
            pointed = text[max(0, start - 1) : start] == "." and shape[max(0, start - 2) : start - 1] == b"0"
            if b"0" not in beside and not pointed:
                yield start, end
            start = shape.find(layout, start + 1)


def named(how: str) -> Redactor | None:
    """The one that an option names: default, none, or module:function of the user's own (a class is called once)."""
    if how == NONE:
        return None
    if how == DEFAULT:
        return Usual()
    module, _, function = how.partition(":")
    try:
        hook = getattr(importlib.import_module(module), function)
        hook = hook() if isinstance(hook, type) else hook
    except Exception as error:
        raise UsageError(
            f"cannot use {how!r} ({error})", "give default, none, or module:function that Python can import"
        ) from error
    if not callable(hook):
        raise UsageError(f"{how!r} is no function", "give one that takes a text and returns (start, end, kind)s")
    return cast(Redactor, hook)
