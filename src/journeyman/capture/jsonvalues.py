"""The JSON values of a file, each with the line it starts on.

Usually one value stands on each line. Where the first line opens a list or an object that it does not close,
the file is one document: a list, whose items are the values, or objects that run over several lines.

Always holds: the file is read once, from start to end, so that it may be a pipe. What is not JSON comes as
NotJson, with its line and the reason, in its place among the values: a broken line stops nothing; in a
document nothing after the broken place can be told apart, and the reason says so. All text is valid Unicode:
half of a surrogate pair (a log that cut a character in two) becomes U+FFFD.

Knows nothing of what the values mean.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_GAP = re.compile(r"[ \t\r\n,]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LOST = "; nothing after it was read"
LONGEST_LINE = 64 << 20  # bytes: far beyond any conversation, and short of what a device without end would give


@dataclass(frozen=True)
class NotJson:
    reason: str


def json_values(file: BinaryIO) -> Iterator[tuple[int, object]]:
    first = True
    for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
        if len(raw) > LONGEST_LINE:
            yield number, NotJson(f"the line is longer than {LONGEST_LINE >> 20} MiB{_LOST}")
            return
        line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        if not line.strip():
            continue
        try:
            # Without the line's end, so that a text that was cut off is an open string, not a wrong one.
            yield number, _parse(line.decode().rstrip())
        except UnicodeDecodeError as error:
            yield number, NotJson(_not_utf8(error, error.start + 1))
        except json.JSONDecodeError as error:
            if first and line.lstrip()[:1] in b"[{" and error.pos >= len(error.doc):
                yield from _document(line + file.read(), number)
                return
            yield number, NotJson(_not_json(error))
        except (ValueError, RecursionError) as error:
            yield number, NotJson(_too_much(error))
        first = False


def _document(data: bytes, line: int) -> Iterator[tuple[int, object]]:
    try:
        text = data.decode().strip()
    except UnicodeDecodeError as error:
        start = data.rfind(b"\n", 0, error.start)
        yield line + data.count(b"\n", 0, error.start), NotJson(_not_utf8(error, error.start - start) + _LOST)
        return
    decoder, last = json.JSONDecoder(), line
    is_list = text.startswith("[")
    seen, end = 0, int(is_list)
    while (start := _skip(text, end)) < len(text) and not text.startswith("]", start):
        last += text.count("\n", seen, start)
        seen = start
        try:
            value, end = decoder.raw_decode(text, start)
            value = _whole(value) if _SURROGATE.search(text, start, end) else value
        except json.JSONDecodeError as error:
            yield line + error.lineno - 1, NotJson(_not_json(error) + _LOST)
            return
        except (ValueError, RecursionError) as error:
            yield last, NotJson(_too_much(error) + _LOST)
            return
        yield last, value
    if text[start:] != "]" * is_list:
        place = line + text.count("\n", 0, start)
        yield place, NotJson("not JSON: the list is not closed, or text follows it")


def _parse(text: str) -> object:
    value = json.loads(text)
    return _whole(value) if _SURROGATE.search(text) else value


def _skip(text: str, start: int) -> int:
    gap = _GAP.match(text, start)
    return gap.end() if gap else start


def _whole(value: object) -> object:
    utf16 = json.dumps(value, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
    return json.loads(utf16.decode("utf-16-le", "replace"))


def _not_utf8(error: UnicodeDecodeError, column: int) -> str:
    return f"not UTF-8 text: byte 0x{error.object[error.start]:02x} at column {column}"


def _not_json(error: json.JSONDecodeError) -> str:
    return f"not JSON: {error.msg.removesuffix(' at')} at column {error.colno}"  # some of them end in "at"


def _too_much(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply"
    return f"the JSON cannot be used: {error}"
