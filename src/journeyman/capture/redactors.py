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
import re
from collections.abc import Callable, Iterable, Iterator

from journeyman.errors import MissingExtraError, UsageError

Span = tuple[int, int, str]  # from, to (in characters), and the kind of what is there: lower-case words
Redactor = Callable[[str], Iterable[Span]]
DEFAULT, NONE = "default", "none"
_LAST_WORDS = re.compile(r"(?:(?<!\S)[\d -]+)?\S*\Z")
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
        for find in self._personal(text, {"entities": ["EMAIL", "CREDIT_CARD"]}):
            place = find.codepoint_range
            yield place.start, place.end, "e-mail" if find.entity_type == "EMAIL" else "card number"

    def settled(self, text: str, ended: bool) -> int:
        if ended:  # what may have begun: the last word, and groups of digits; and a block of lines that has no end
            whole = text[: _LAST_WORDS.search(text).start()]  # type: ignore[union-attr]  # it matches nothing too
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
    return hook
