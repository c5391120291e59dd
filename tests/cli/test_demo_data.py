"""The demo's log, from a wheel of the same layout made by hand."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from journeyman.capture import read_sessions
from journeyman.cli import demo_data
from journeyman.errors import InputError
from journeyman.evaluate.questions import load_questions

SESSIONS: list[dict[str, Any]] = [
    {"id": "p-customer-0", "topic": "Hello", "question": [[{"role": "user", "content": "I am Ada — hello."}]]},
    {"id": "p-customer-1", "topic": "Boat", "question": [[{"role": "user", "content": "My boat is red."}]]},
]


def question(name: str, user: str, text: str) -> dict[str, Any]:
    return {"id": name, "question": [[{"role": "user", "content": text}]], "scenario": user}


QUESTIONS = [
    question("m0-customer-0", "customer", "Who am I?"),
    question("m1-student-0", "student", "Whose book?"),
    question("m2-customer-1", "customer", "Which colour has my boat?"),
]
ANSWERS = [
    {"id": "m2-customer-1", "ground_truth": ["red", "crimson"], "source": "My boat is red."},
    {"id": "m1-student-0", "ground_truth": ["Bo's"], "source": ""},
    {"id": "m0-customer-0", "ground_truth": ["Ada"], "source": "I am Ada"},
]


def make_wheel(path: Path, **missing: None) -> Path:
    members = {
        "sessions": ("bfcl_eval/data/memory_prereq_conversation/memory_customer.json", SESSIONS),
        "questions": ("bfcl_eval/data/BFCL_v4_memory.json", QUESTIONS),
        "answers": ("bfcl_eval/data/possible_answer/BFCL_v4_memory.json", ANSWERS),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for key, (name, lines) in members.items():
            if key not in missing:
                archive.writestr(name, "".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_sessions_and_questions_of_one_user_are_two_files(tmp_path: Path) -> None:
    files = demo_data.extract(make_wheel(tmp_path / "a.whl"), "customer", tmp_path / "demo")
    read = read_sessions(files.sessions)
    assert read.refused == []
    assert [(s.key, s.turns[0].content) for s in read.sessions] == [
        ("p-customer-0", "I am Ada — hello."),
        ("p-customer-1", "My boat is red."),
    ]
    assert [(q.id, q.question, q.answers) for q in load_questions(files.questions)] == [
        ("m0-customer-0", "Who am I?", ("Ada",)),
        ("m2-customer-1", "Which colour has my boat?", ("red", "crimson")),
    ]
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {
        "customer_sessions.jsonl",
        "customer_questions.jsonl",
    }


@pytest.mark.parametrize("missing", ["sessions", "questions", "answers"])
def test_another_layout_is_explained(tmp_path: Path, missing: str) -> None:
    wheel = make_wheel(tmp_path / "a.whl", **{missing: None})
    with pytest.raises(InputError, match="does not hold the demo's log"):
        demo_data.extract(wheel, "customer", tmp_path)


def test_what_is_no_wheel_is_explained(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"not a zip file")
    with pytest.raises(InputError, match="does not hold the demo's log"):
        demo_data.extract(tmp_path / "a.whl", "customer", tmp_path)


def test_the_wheel_is_fetched_once_and_checked_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def fetch(requirement: str, sha256: str, into: Path) -> Path:
        fetched.append(requirement)
        return make_wheel(into / "bfcl.whl")

    monkeypatch.setenv("JOURNEYMAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(demo_data, "fetch_wheel", fetch)
    sample = make_wheel(tmp_path / "sample.whl").read_bytes()
    monkeypatch.setattr(demo_data, "_SHA256", hashlib.sha256(sample).hexdigest())
    first = demo_data.wheel()
    assert demo_data.wheel() == first
    assert fetched == ["bfcl-eval==2026.3.23"]
    first.write_bytes(b"half of it")
    assert demo_data.wheel().read_bytes() == sample
    assert len(fetched) == 2
    assert [path.name for path in first.parent.iterdir()] == [first.name], "no scratch folder stays"
