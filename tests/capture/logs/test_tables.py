"""Tables with a header."""

from __future__ import annotations

import io

import pytest

from journeyman.capture.jsonvalues import NotJson
from journeyman.capture.logs.tables import is_table, rows


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"id,name,input,output\r\n", True),
        (b'\xef\xbb\xbf"id","trace_id"\n', True),
        (b"id\n", False),
        (b'{"id": 1, "input": 2}\n', False),
        (b"[\n", False),
        (b"", False),
        (b"\xff\xfe\x00", False),
        (b"Dear diary, the input\n", False),
    ],
)
def test_a_header_names_columns(start: bytes, told: bool) -> None:
    assert is_table(start) == told


def test_rows_have_the_line_they_start_on() -> None:
    table = io.BytesIO('id,input\r\n1,"a\nb"\r\n\r\n2,ü\r\n3\r\n4,x,y\r\n'.encode())
    one, two, short, long = rows(table)
    assert (one, two) == ((2, {"id": "1", "input": "a\nb"}), (4, {"id": "2", "input": "ü"}))
    assert [(line, type(value)) for line, value in (short, long)] == [(6, NotJson), (7, NotJson)]
    assert not table.closed


@pytest.mark.parametrize(("data", "line"), [(b'id,input\n1,"a\n2,b\n', 2), (b"id,input\n1,a\n2,\xff\n", 3)])
def test_a_broken_table_is_named_where_it_breaks(data: bytes, line: int) -> None:
    *_, (place, value) = rows(io.BytesIO(data))
    assert isinstance(value, NotJson)
    assert "nothing after it was read" in value.reason
    assert place <= line
