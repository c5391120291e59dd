"""Tables with a header, such as exports as CSV: rows, each with the line it starts on.

Always holds: what is no table is not taken for one; a broken row is NotJson in its place, and nothing after it can be
told apart.

Knows nothing of what the columns mean.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from journeyman.capture.jsonvalues import LONGEST_LINE, NotJson

_KNOWN = {"id", "trace_id", "traceId", "input", "output", "data_type", "dataType"}


def is_table(start: bytes) -> bool:
    """Whether a file that starts so begins with a header that names some of the columns that a log has."""
    line = start.removeprefix(codecs.BOM_UTF8).split(b"\n", 1)[0].decode(errors="replace").strip()
    if line[:1] in ("", "{", "["):
        return False
    return len(_KNOWN.intersection(next(csv.reader([line]), []))) >= 2


def rows(file: BinaryIO) -> Iterator[tuple[int, object]]:
    csv.field_size_limit(LONGEST_LINE)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    table = csv.DictReader(text, strict=True)
    line = 1
    try:
        while True:
            line = table.line_num + 1
            row = next(table, None)
            if row is None:
                return
            if None in row or None in row.values():
                yield line, NotJson(f"the row has not as many cells as the header's {len(table.fieldnames or ())}")
            else:
                yield max(line, 2), row
    except (csv.Error, UnicodeDecodeError) as error:
        yield line, NotJson(f"no table from here on: {error}; nothing after it was read")
    finally:
        text.detach()
