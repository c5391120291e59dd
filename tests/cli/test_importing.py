"""`journeyman import`, as a person and as a program see it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from journeyman.cli import importing
from journeyman.errors import StoreError, UsageError
from journeyman.store import open_store

LINE = '{"id": "%s", "messages": [{"role": "user", "content": "hi"}]}\n'


def run(*words: object) -> int:
    parser = argparse.ArgumentParser(prog="journeyman")
    importing.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["import", *map(str, words)])
    return args.run(args)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def test_a_person_reads_what_became_of_each_file(
    tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, other = tmp_path / "log [1].jsonl", tmp_path / "other.jsonl"
    log.write_text(LINE % "a" + LINE % "b" + '{"messages": [{"role": ":smile:", "content": ""}]}\n')
    other.write_text(LINE % "b")
    assert run(log, other, "--store", store) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{log}: 2 read, 2 new, 0 already there, 1 refused",
        "  line 3: message 1 has the unknown role ':smile:' "
        "(known: system, developer, user, assistant, tool, function)",
        f"{other}: 1 read, 0 new, 1 already there, 0 refused",
        f"{store} now holds 2 imported sessions",
    ]
    with open_store(store) as opened:
        assert [session.key for session in opened.sessions()] == ["a", "b"]


def test_a_person_reads_twenty_refusals_and_a_program_all(
    tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(LINE % "a" + "oops\n" * 23)
    assert run(log, "--store", store) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if "not JSON" in line] == [
        f"  line {n}: not JSON: Expecting value at column 1" for n in range(2, 22)
    ]
    assert "  and 3 more (all of them: --json)" in out

    assert run(log, "--store", store, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "store": str(store),
        "sessions": 1,
        "files": [
            {
                "path": str(log),
                "read": 1,
                "new": 0,
                "already": 1,
                "refused": [{"line": n, "reason": "not JSON: Expecting value at column 1"} for n in range(2, 25)],
            }
        ],
    }


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_it_fails_only_if_nothing_at_all_could_be_read(
    tmp_path: Path, store: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, empty = tmp_path / "good", tmp_path / "bad", tmp_path / "empty"
    good.write_text(LINE % "a")
    bad.write_text("oops\n")
    empty.touch()
    assert run(bad, empty, "--store", store, *options) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: no conversation could be read\ntry: write one JSON object on each line")
    if options:
        assert json.loads(said.out)["error"] == "no conversation could be read"
    assert run(bad, good, "--store", store, *options) == 0
    assert run(good, "--store", store, *options) == 0, "there already is read all the same"


def test_mistakes_are_raised_for_the_command_line_to_show(tmp_path: Path, store: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        run(tmp_path / "missing.jsonl", "--store", store)
    assert not store.exists(), "no store is made for nothing"
    no_store = tmp_path / "log.jsonl"
    no_store.write_text(LINE % "a")
    with pytest.raises(UsageError, match="cannot open a store"):
        run(no_store, "--store", "mysql://host")
    with pytest.raises(StoreError, match="not a database"):
        run(no_store, "--store", no_store)


def test_a_format_is_told_by_content_or_by_name(
    tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = Path(__file__).parents[1] / "capture" / "samples"
    spans, batch = samples / "opentelemetry-spans.jsonl", sorted(samples.glob("openai-batch-*.jsonl"))
    plain = tmp_path / "log.jsonl"
    plain.write_text(LINE % "a")
    assert run(spans, *batch, plain, "--store", store) == 0
    out = capsys.readouterr().out
    assert f"{spans}: 1 read, 1 new, 0 already there, 1 refused" in out
    assert "now holds 4 imported sessions" in out
    assert run(spans, plain, "--store", store, "--format", "opentelemetry") == 0
    out = capsys.readouterr().out
    assert f"{spans}: 1 read, 0 new, 1 already there, 1 refused" in out
    assert "line 1: this is no opentelemetry log; leave --format out, or name another" in out
    assert run(spans, "--store", store, "--format", "chat") == 1
    assert "there is neither 'messages' nor 'question'" in capsys.readouterr().out
