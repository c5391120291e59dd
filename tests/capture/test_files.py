"""Files of conversations: lines and documents, what is not JSON, and importing."""

from __future__ import annotations

import codecs
import json
import os
import threading
from pathlib import Path

import pytest
from days import Ask, exchanges
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.capture import FileReport, ImportReport, Refusal, import_files, jsonvalues, read_sessions
from journeyman.cli import main
from journeyman.errors import UsageError
from journeyman.records import ROLES, Session, ToolCall, Turn
from journeyman.store import open_store

USER = {"role": "user", "content": "hi"}
HI = Session((Turn("user", "hi"),))


def lines(*values: object) -> bytes:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def read(path: Path, content: bytes) -> FileReport:
    path.write_bytes(content)
    return read_sessions(path)


# -- lines and documents


def test_shapes_may_be_mixed_line_by_line(path: Path) -> None:
    report = read(path, lines([USER], {"messages": [USER]}, {"question": [[USER]]}, [{"messages": [USER]}, [USER]]))
    assert report == FileReport(str(path), [HI] * 5, [])


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_a_file_may_be_one_array(path: Path, indent: int | None) -> None:
    values = [{"id": str(n), "messages": [{"role": "user", "content": "naïve 🦉"}]} for n in range(3)]
    report = read(path, b"\n " + json.dumps(values, indent=indent).encode() + b"\n\n")
    assert [each.key for each in report.sessions] == ["0", "1", "2"]
    assert report.sessions[0].turns == (Turn("user", "naïve 🦉"),)
    assert report.refused == []


def test_objects_may_run_over_lines(path: Path) -> None:
    content = "\n".join(json.dumps({"id": str(n), "messages": [USER]}, indent=2) for n in range(2))
    assert [each.key for each in read(path, content.encode()).sessions] == ["0", "1"]


def test_an_array_is_read_up_to_its_broken_place(path: Path) -> None:
    good = '{"messages": [{"role": "user", "content": "hi"}]}'
    report = read(path, f'[\n{good},\n\n{{"messages":\n []}},\n{good},\n{{"messages": nil}},\n{good}\n]'.encode())
    assert report.sessions == [HI, HI]
    assert report.refused == [
        Refusal(4, "the conversation is empty"),
        Refusal(7, "not JSON: Expecting value at column 14; nothing after it was read"),
    ]


@pytest.mark.parametrize("end", ["", "]\nand more", "]]"])
def test_an_array_with_a_wrong_end_says_so(path: Path, end: str) -> None:
    report = read(path, b"[\n" + lines({"messages": [USER]}) + end.encode())
    assert report.sessions == [HI]
    assert [refusal.line for refusal in report.refused] == [2 if not end else 3]
    assert "not closed" in report.refused[0].reason


def test_bom_crlf_and_blank_lines_are_nothing(path: Path) -> None:
    line = lines({"messages": [USER]}).rstrip()
    report = read(path, codecs.BOM_UTF8 + line + b"\r\n\r\n  \n" + line + b"\r\n\t")
    assert report == FileReport(str(path), [HI, HI], [])


@pytest.mark.parametrize("content", [b"", b"\n\r\n", codecs.BOM_UTF8])
def test_an_empty_file_is_an_empty_report(path: Path, content: bytes) -> None:
    assert read(path, content) == FileReport(str(path), [], [])


def test_a_broken_line_stops_nothing_and_is_named(path: Path) -> None:
    all_lines = [{"id": str(n), "messages": [USER]} for n in range(1, 31)]
    raw = lines(*all_lines).splitlines(keepends=True)
    raw[16] = b'{"id": "17", "messages": oops}\n'
    report = read(path, b"".join(raw))
    assert [each.key for each in report.sessions] == [str(n) for n in range(1, 31) if n != 17]
    assert report.refused == [Refusal(17, "not JSON: Expecting value at column 26")]


@pytest.mark.parametrize(
    "cut", [b'{"messages": [{"role": "us', b"[{]", b'[{"role": "user ', b"[tru", b'{"messages": [],}']
)
def test_a_first_line_that_was_cut_off_stops_nothing(path: Path, cut: bytes) -> None:
    report = read(path, cut + b"\n" + lines([USER]) * 2)
    assert report.sessions == [HI, HI]
    assert [refusal.line for refusal in report.refused] == [1]


def test_a_line_that_was_cut_off_is_said_to_end_in_an_open_text(path: Path) -> None:
    (refusal,) = read(path, b'{"messages": [{"role": "us\r\n').refused
    assert refusal == Refusal(1, "not JSON: Unterminated string starting at column 24")


def test_a_first_line_that_stays_open_is_a_document_and_its_break_is_named(path: Path) -> None:
    report = read(path, b'{"messages":\n' + lines([USER]) * 2)
    assert report.sessions == []
    assert report.refused == [Refusal(3, "not JSON: Expecting ',' delimiter at column 1; nothing after it was read")]


def test_a_file_without_a_readable_line_is_a_report(path: Path) -> None:
    report = read(path, b"Dear diary,\ntoday nothing happened.\n")
    assert report.sessions == []
    assert [refusal.line for refusal in report.refused] == [1, 2]


# -- what cannot be read


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"messages": [\xff]}', "not UTF-8 text: byte 0xff at column 15"),
        ('{"messages": [{"role": "user", "content": "hi"}]}'.encode("utf-16"), "not UTF-8 text"),
        (b'{"messages": []} {}', "not JSON: Extra data at column 18"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"id": ' + b"9" * 5000 + b"}", "the JSON cannot be used"),
    ],
)
def test_what_is_not_usable_json_is_refused(path: Path, line: bytes, why: str) -> None:
    report = read(path, lines([USER]) + line + b"\n" + lines([USER]))
    assert why in report.refused[0].reason
    assert report.refused[0].line == 2
    assert report.sessions == [HI, HI]


def test_a_conversation_of_several_on_a_line_is_named_by_its_number(path: Path) -> None:
    report = read(path, lines([{"messages": [USER]}, {"messages": []}, 5]))
    assert report.sessions == [HI]
    assert [refusal.reason for refusal in report.refused] == [
        "conversation 2: the conversation is empty",
        "conversation 3: expected a conversation (a JSON object), found a number",
    ]


def test_half_a_character_is_replaced_and_whole_ones_are_kept(path: Path) -> None:
    content = rb'{"messages": [{"role": "user", "content": "cut \ud83d, whole \ud83e\udd89, \\ud83d"}]}'
    (found,) = read(path, content).sessions
    assert found.turns[0].content == "cut �, whole 🦉, \\ud83d"
    with open_store(path.with_name("store.db")) as store:
        store.add_sessions([found])
        assert store.sessions() == [found]


# -- the file itself


def test_a_file_that_is_not_there_or_a_folder_is_a_mistake_of_the_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.jsonl: No such file"):
        read_sessions(tmp_path / "missing.jsonl")
    with pytest.raises(UsageError, match="is a folder") as folder:
        read_sessions(tmp_path)
    assert "*.jsonl" in folder.value.remedy


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(json.dumps([[USER], [USER]], indent=1).encode(),))
    writer.start()
    assert read_sessions(pipe).sessions == [HI, HI]
    writer.join()


def test_a_very_long_session_is_read(path: Path) -> None:
    messages = [{"role": ("user", "assistant")[n % 2], "content": f"turn {n} " + "word " * 2000} for n in range(100)]
    (found,) = read(path, lines({"messages": messages})).sessions
    assert [turn.content for turn in found.turns] == [message["content"] for message in messages]


# -- round trips

WORDS = st.text(max_size=20)
CALLS = st.builds(ToolCall, WORDS, st.text(min_size=1, max_size=9), WORDS)
TURNS = st.builds(
    Turn,
    st.sampled_from(ROLES),
    WORDS,
    st.lists(CALLS, max_size=2).map(tuple),
    st.none() | WORDS,
    st.none() | WORDS,
)
SESSIONS = st.builds(
    lambda before, after, *names: Session((*before, Turn("user", "?"), *after), *names),
    st.lists(TURNS, max_size=3),
    st.lists(TURNS, max_size=3),
    WORDS,
    WORDS,
    WORDS,
    WORDS,
)


def as_openai(each: Session) -> dict[str, object]:
    messages = []
    for turn in each.turns:
        message: dict[str, object] = {"role": turn.role, "content": turn.content}
        if turn.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in turn.tool_calls
            ]
        message |= {k: v for k in ("tool_call_id", "name") if (v := getattr(turn, k)) is not None}
        messages.append(message)
    names = {"id": each.key, "user": each.user, "topic": each.topic, "started_at": each.started_at}
    return {"messages": messages, **{name: value for name, value in names.items() if value}}


@settings(deadline=None, max_examples=60)
@given(st.lists(SESSIONS, max_size=4), st.booleans(), st.sampled_from(["lines", "crlf", "array"]))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session], ascii_only: bool, layout: str
) -> None:
    path = tmp_path_factory.mktemp("round") / "log"
    values = [as_openai(each) for each in sessions]
    if layout == "array":
        text = json.dumps(values, ensure_ascii=ascii_only, indent=1) if values else ""
    else:
        end = "\n" if layout == "lines" else "\r\n"
        text = "".join(json.dumps(value, ensure_ascii=ascii_only) + end for value in values)
    assert read(path, text.encode()) == FileReport(str(path), sessions, [])


def test_importing_twice_adds_nothing(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(lines([USER], {"id": "x", "messages": [USER]}, [USER]) + b"oops\n")
    second.write_bytes(lines({"id": "x", "messages": [USER]}, {"id": "y", "messages": [USER]}))
    refusal = Refusal(4, "not JSON: Expecting value at column 1")
    with open_store(tmp_path / "store.db") as store:
        assert import_files(store, [first, str(second)]) == [
            ImportReport(str(first), 3, 2, 1, [refusal]),
            ImportReport(str(second), 2, 1, 1, []),
        ]
        kept = store.sessions()
        assert [each.key for each in kept] == ["", "x", "y"]
        again = import_files(store, [first, second])
        assert [(report.read, report.new, report.already) for report in again] == [(3, 0, 3), (2, 0, 2)]
        assert store.sessions() == kept
    assert again[0].to_json() == {
        "path": str(first),
        "read": 3,
        "new": 0,
        "already": 3,
        "refused": [{"line": 4, "reason": refusal.reason}],
    }


def test_a_store_takes_nothing_from_its_own_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even what it knew of a conversation before that went on; another store does."""
    path, export, before = tmp_path / "day.db", tmp_path / "all.jsonl", tmp_path / "before.jsonl"
    with open_store(path) as store:
        store.add_sessions([HI])
        for file, asks in ((before, [Ask(said=1)]), (export, [Ask(said=1), Ask(after=0, said=2), Ask(said=3)])):
            store.write_exchanges(closed=exchanges(asks))
            assert main(["sessions", "export", "--store", str(path)]) == 0
            file.write_text(capsys.readouterr().out)
        reports = import_files(store, [before, export])
        assert [(each.read, each.new, each.already) for each in reports] == [(2, 0, 2), (3, 0, 3)]
        assert store.sessions() == [HI]
        assert import_files(store, [export], tenant="ann")[0].new == 3, "what it has for nobody is not ann's"
    with open_store(tmp_path / "other.db") as other:
        assert [each.new for each in import_files(other, [export, before])] == [3, 1]


def test_nothing_is_imported_if_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines([USER]))
    with open_store(tmp_path / "store.db") as store:
        with pytest.raises(UsageError, match="cannot read"):
            import_files(store, [tmp_path / "a.jsonl", tmp_path / "missing.jsonl"])
        assert store.count_sessions() == 0


def test_a_line_without_end_is_refused_and_not_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonvalues, "LONGEST_LINE", 200)
    good = '{"messages": [{"role": "user", "content": "I live in Bergen."}]}\n'
    path = tmp_path / "log.jsonl"
    path.write_text(good + "x" * 500 + "\n" + good)
    report = read_sessions(path)
    assert len(report.sessions) == 1
    [refusal] = report.refused
    assert refusal.line == 2
    assert "longer than" in refusal.reason
    assert "nothing after it was read" in refusal.reason


def test_a_device_without_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonvalues, "LONGEST_LINE", 1 << 16)
    assert len(read_sessions("/dev/zero").refused) == 1
