"""Names, lists and times that people write in headers, fields and options.

Always holds: a name can be stored, printed and put in a header; what is none is refused with what to give instead.

Knows words; nothing of HTTP or of the command line.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from journeyman.errors import UsageError
from journeyman.records import PURPOSES, Purpose

LONGEST = 200
# No control characters, no ends of lines, nothing invisible and nothing that turns the direction of writing. By their
# numbers: which characters there are at all changes with each Unicode.
_UNPRINTABLE = r"\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_PRINTABLE = f"^[^{_UNPRINTABLE}]*$"
# What `name` takes, as JSON Schema.
SCHEMA: dict[str, Any] = {"type": ["string", "null"], "maxLength": LONGEST, "pattern": _PRINTABLE}
# The same in a header, whose bytes are Latin-1.
HEADER_SCHEMA: dict[str, Any] = {
    "type": "string",
    "maxLength": LONGEST,
    "pattern": r"^[ -~\u00a0-\u00ac\u00ae-\u00ff]*$",
}


def is_text(value: object) -> bool:
    """Whether it is text that can be written: half of a surrogate pair cannot."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def is_name(value: object) -> bool:
    """Whether it can be stored, printed and put in a header."""
    return is_text(value) and len(str(value)) <= LONGEST and re.fullmatch(_PRINTABLE, str(value)) is not None


def printable(text: str) -> str:
    """With a space for each character that cannot be in a name."""
    return re.sub(f"[{_UNPRINTABLE}]", " ", text)


def name(what: str, given: Any) -> str:
    """The name that somebody gives to a thing of his own; "" where there is none."""
    if given is None or given == "":
        return ""
    if not is_name(given):
        raise UsageError(f"the {what} is no name", f"give a printable text of at most {LONGEST} characters")
    return given


def purposes(words: str) -> tuple[Purpose, ...]:
    """Those that a list with commas names."""
    wanted = {word.strip() for word in words.split(",")} - {""}
    if unknown := sorted(wanted - set(PURPOSES)):
        raise UsageError(f"there is no purpose {unknown[0]!r}", f"choose from {', '.join(PURPOSES)}")
    return tuple(purpose for purpose in PURPOSES if purpose in wanted)


def moment(text: str) -> datetime:
    """A time in ISO 8601, in UTC; without a zone it is UTC. ValueError if it is none."""
    found = datetime.fromisoformat(text)
    try:
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:  # a zone that takes it out of the years that there are
        raise ValueError(f"{text!r} is before the year 1 or after 9999") from error
