"""What several commands share: tables hold what is typed into other commands, however narrow the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from journeyman.capture.keys import issue
from journeyman.cli import common, main
from journeyman.records import AdapterRecord, Session, Turn
from journeyman.store import open_store

HASH, NIGHT, TENANT = "0123456789abcdef", "night-0123456789abcdef0123", "a tenant of twenty-five chars"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    said = (Turn("user", "word " * 40), Turn("assistant", "so"))
    with open_store(tmp_path / "day.db") as store:
        store.add_sessions([Session(said, "s_0123456789abcdef", "ann@home.example", tenant=TENANT)])
        store.add_adapter(AdapterRecord(HASH, "base", NIGHT, "PROMOTE", tenant=TENANT))
        store.add_adapter(AdapterRecord("f" * 16, "base", NIGHT, "REJECT", parent=HASH, tenant=TENANT))
        issue(store, TENANT)
    return tmp_path / "day.db"


@pytest.mark.parametrize("width", [20, 80, 300])
@pytest.mark.parametrize(
    ("command", "rows", "names"),
    [
        ("sessions", "sessions", ("id", "tenant", "name", "user")),
        ("adapters", "adapters", ("hash", "tenant", "night_id", "parent")),
        ("keys", "keys", ("tenant",)),
    ],
)
def test_what_is_listed_can_be_typed(
    command: str,
    rows: str,
    names: tuple[str, ...],
    width: int,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert main([command, "list", "--store", str(path), "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)[rows]
    assert main([command, "list", "--store", str(path)]) == 0
    shown = capsys.readouterr().out
    assert found
    for row in found:
        assert any(all(row[name] in line for name in names) for line in shown.splitlines())


def test_only_the_first_words_shrink(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for width, least in ((20, "word word"), (300, "word " * 10)):
        monkeypatch.setenv("COLUMNS", str(width))
        assert main(["sessions", "list", "--store", str(path)]) == 0
        header, line = capsys.readouterr().out.splitlines()
        assert header.split()[-4:] == ["turns", "remarks", "first", "words"]
        assert least in line


def test_a_column_is_as_wide_as_its_widest_value() -> None:
    assert common.whole("id", []).min_width == 2
    assert common.whole("id", ["abc", "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 2]).min_width == 4
