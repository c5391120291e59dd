"""The commands that need a model, with one that has no weights; the night's result is a stored example."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import journeyman.model
import journeyman.night  # so that its function can be replaced
from journeyman.cli import demo, demo_data, main, missed, progress
from journeyman.records import AdapterRecord, PhaseRecord, Session, Situation, Turn
from journeyman.store import open_store

NIGHT = json.loads((Path(__file__).parents[1] / "web" / "example_night.json").read_text(encoding="utf-8"))
QUESTION = {"id": "q", "question": "Which colour has my boat?", "answers": ["red"]}


class Engine:
    """Knows the boat's colour from the notes, or from an adapter."""

    name, fingerprint, tokens = "weightless", "weightless-1", 0

    def __init__(self) -> None:
        self.active: str | None = None

    def chat(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        return [ord(character) for character in messages[-1]["content"]]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def load_adapter(self, directory: str | Path) -> str:
        return str(directory)

    @contextmanager
    def using(self, adapter: str | None) -> Iterator[None]:
        before, self.active = self.active, adapter
        yield
        self.active = before

    def generate(self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int) -> list[list[int]]:
        self.tokens += sum(map(len, prompts))
        knows = [self.active is not None or "boat is red" in self.decode(p) for p in prompts]
        return [[ord(c) for c in ("It is red." if known else "Blue?")] for known in knows]


def adapter(hash: str, verdict: str = "PROMOTE", base: str = Engine.fingerprint) -> AdapterRecord:
    return AdapterRecord(hash, base, "n1", verdict)


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(journeyman.model, "load_engine", lambda _name: Engine())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two adapters, the older one in service; the newer one did not pass; a third is another model's."""
    path = tmp_path / "journeyman.db"
    with open_store(path) as opened:
        opened.add_sessions([Session((Turn("user", "My boat is red, as boats are."),), user="ada")])
        opened.add_adapter(adapter("aaa1"))
        opened.set_champion(Engine.fingerprint, "aaa1")
        opened.add_adapter(adapter("bbb2", "REJECT"))
        opened.add_adapter(adapter("ccc3", base="other"))
    return path


def as_json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("options", "answer", "who"),
    [
        ([], "It is red.", "aaa1"),
        (["--adapter", "base"], "Blue?", None),
        (["--adapter", "bb"], "It is red.", "bbb2"),
    ],
)
def test_ask(store: Path, options: list[str], answer: str, who: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Which colour?", "--json", *options]) == 0
    found = as_json(capsys)
    assert (found["answer"], found["adapter"]) == (answer, who)
    assert main(["ask", "Which colour?", *options]) == 0
    out, err = capsys.readouterr()
    assert out == answer + "\n"
    assert (who or "as it came") in err


def test_ask_without_a_champion_or_with_a_wrong_adapter(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(store) as opened:
        opened.set_champion(Engine.fingerprint, None)
    assert main(["ask", "Which colour?"]) == 0
    assert "no adapter is in service yet" in capsys.readouterr().err
    assert main(["ask", "Which colour?", "--adapter", "zzz"]) == 1
    assert main(["ask", "Which colour?", "--adapter", "ccc3"]) == 1
    assert "made for another model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "right"),
    [([], 1), (["--adapter", "base"], 0), (["--adapter", "base", "--context", "sessions"], 1)],
)
def test_evaluate(store: Path, options: list[str], right: int, capsys: pytest.CaptureFixture[str]) -> None:
    questions = store.with_name("questions.jsonl")
    questions.write_text(json.dumps(QUESTION))
    assert main(["evaluate", "--questions", str(questions), "--json", *options]) == 0
    found = as_json(capsys)
    assert found["n"] == 1
    assert found["correct"] == found["accuracy"] == right
    assert len(found["interval"]) == 2
    assert found["items"][0]["question"] == QUESTION["question"]
    assert found["adapter"] == (None if "base" in options else "aaa1")
    assert found["context"] == ("sessions" if "sessions" in options else "none")
    assert main(["evaluate", "--questions", str(questions), *options]) == 0
    assert f"{right} of 1 right" in capsys.readouterr().out


def test_evaluate_knows_one_tenants_adapter_and_sessions(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions = store.with_name("questions.jsonl")
    questions.write_text(json.dumps(QUESTION))
    with open_store(store) as opened:
        opened.add_sessions([Session((Turn("user", "My boat is red, as boats are."),), tenant="ann")])
        opened.add_adapter(replace(adapter("ddd4"), tenant="bob"))
        opened.set_champion(Engine.fingerprint, "ddd4", "bob")
    found = {}
    for tenant in ("ann", "bob"):
        for more in ([], ["--adapter", "base", "--context", "sessions"]):
            assert main(["evaluate", "--questions", str(questions), "--tenant", tenant, "--json", *more]) == 0
            found[tenant, bool(more)] = as_json(capsys)
    assert {how: (score["correct"], score["adapter"]) for how, score in found.items()} == {
        ("ann", False): (0, None),
        ("ann", True): (1, None),
        ("bob", False): (1, "ddd4"),
        ("bob", True): (0, None),
    }


def test_night_hands_on_what_was_asked_for(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {}

    def night(opened: object, model: str, **options: Any) -> dict[str, Any]:
        given.update(options, store=opened, model=model)
        options["progress"]("train", 0.0)
        options["progress"]("train", 0.5)
        options["progress"]("gate", 0.0)
        return NIGHT

    monkeypatch.setattr("journeyman.night.night", night)
    words = "night --model m --sessions a b --suite s --seed 7 --writer http://w --steps 9 --learning-rate 1e-4".split()
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == NIGHT
    assert err == ""
    assert given["model"] == "m"
    assert (given["sessions"], given["suites"], given["seed"], given["writer"]) == (["a", "b"], ["s"], 7, "http://w")
    assert (given["options"].steps, given["options"].learning_rate) == (9, 1e-4)
    assert given["options"].rows > 0

    assert main(words) == 0
    out, err = capsys.readouterr()
    assert [line.split("s  ")[1] for line in err.splitlines()] == ["train", "gate"]
    assert out.startswith("PROMOTE: the adapter is in service\n  - Held-out work rose")
    for shown in (
        "general ability",
        "83.0%",
        "82.5%",
        "find lessons",
        "8\u202f400",
        NIGHT["adapter_path"],
        NIGHT["report"],
    ):
        assert shown in out
    assert 'journeyman ask "…" --model m\n' in out, "the default store needs no option"


@pytest.mark.parametrize("verdict", ["REJECT", "INSUFFICIENT", "NOTHING_TO_LEARN"])
def test_every_verdict_is_a_normal_end(
    store: Path, verdict: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = {"night": "n1", "verdict": verdict, "reasons": ["So it is."], "adapter": None, "report": None}
    monkeypatch.setattr("journeyman.night.night", lambda *_, **__: result)
    assert main(["night"]) == 0
    out = capsys.readouterr().out
    assert "unchanged" in out.splitlines()[0]
    assert "So it is." in out
    assert "journeyman ask" not in out


def finished(store: Path, key: str, **result: Any) -> None:
    with open_store(store) as opened:
        opened.begin_night(key, {})
        opened.finish_night(key, {"night": key, "verdict": "REJECT", "reasons": [], **result})


def test_report_finds_the_page_of_a_night_and_makes_it_again(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["report"]) == 2
    assert "no night yet" in capsys.readouterr().err
    first, second = tmp_path / "1.html", tmp_path / "2.html"
    first.write_text("kept")
    finished(store, "aa1", report=str(first))
    finished(store, "ab2", report=str(second))
    finished(store, "b3", report=None)
    with open_store(store) as other:
        other.begin_night("c4", {})
    assert main(["report", "--night", "ab"]) == 0
    assert capsys.readouterr().out == f"{second}\n"
    assert second.read_text().startswith("<!doctype html>")
    assert main(["report", "--night", "aa1", "--json"]) == 0
    assert as_json(capsys) == {"night": "aa1", "verdict": "REJECT", "report": str(first)}
    assert first.read_text() == "kept"
    for wrong, said in (([], "made no page"), (["--night", "a"], "begins 2 nights"), (["--night", "c"], "not ended")):
        assert main(["report", *wrong]) in (1, 2)
        assert said in capsys.readouterr().err
    assert opened == [], "nobody sits before a test"


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page, nights = tmp_path / "page.html", []
    result = NIGHT | {"questions": None, "report": str(page), "adapter_path": "/adapters/a", "adapter": "a"}
    result["model"] = {"name": Engine.name, "fingerprint": Engine.fingerprint}

    def prepare(user: str, directory: Path) -> demo_data.DemoFiles:
        directory.mkdir(exist_ok=True)
        files = demo_data.DemoFiles(directory / "s.jsonl", directory / "q.jsonl")
        turns = [{"role": "user", "content": f"I am {user}. My boat is red."}]
        files.sessions.write_text(json.dumps({"id": "1", "messages": turns}))
        files.questions.write_text(json.dumps(QUESTION))
        return files

    def night(store: Any, model: str, **options: Any) -> dict[str, Any]:
        nights.append(options)
        return result | {"repeated": len(nights) > 1}

    monkeypatch.setattr(demo_data, "prepare", prepare)
    monkeypatch.setattr("journeyman.night.night", night)
    assert main(["demo", "--seed", "3", "--json"]) == 0
    found = as_json(capsys)
    assert [found[name]["correct"] for name in ("before", "after", "ceiling")] == [0, 1, 1]
    assert found["internalisation"] == 1.0
    assert found["verdict"] == "PROMOTE"
    asked = [phase for phase in found["phases"] if phase["name"].startswith("questions")]
    assert len(asked) == 3
    assert all(phase["tokens"] > 0 for phase in asked)
    assert "Every question" in page.read_text()
    assert nights[0]["seed"] == 3
    assert isinstance(nights[0]["engine"], Engine)
    assert "questions" not in str(nights[0]), "what is for evaluation stays out of the night"

    assert main(["demo", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    asked_of = f'ask "{QUESTION["question"]}" --store demo/customer-3.db'
    for shown in ("0 of 1", "1 of 1", "100%", "PROMOTE", "run before", asked_of):
        assert shown in out


def test_without_room_to_learn_there_is_no_ratio() -> None:
    def scores(*shares: float | None) -> dict[str, Any]:
        found = [None if share is None else {"accuracy": share} for share in shares]
        return dict(zip(("before", "after", "ceiling"), found, strict=True))

    assert demo.internalisation(scores(0.2, 0.5, 0.8)) == pytest.approx(0.5)
    assert demo.internalisation(scores(0.2, 0.5, 0.2)) is None
    assert demo.internalisation(scores(0.2, None, 0.8)) is None


def test_a_missed_question_says_where_it_was_lost() -> None:
    evidence = ("a red boat", "in 1815", "Ada", "on Monday")
    situations = [Situation("ask", f"Question {i}?", "l", words) for i, words in enumerate(evidence)]
    routes = ("opsd", "replay", "already known", "lesson does not help")
    lifts = {s.id: {"route": route} for s, route in zip(situations, routes, strict=True)}
    outputs = {"dream situations": {"train": [s.to_json() for s in situations]}, "measure lift": {"lifts": lifts}}
    practised = missed.traces({n: PhaseRecord("k", n, output, 0.0, 0.0, 0) for n, output in outputs.items()})
    assert [missed.why([answer], practised) for answer in ("red", "1815", "Ada", "Monday", "blue")] == [
        "training fell short: 1 situation covered it",
        "the veteran was wrong in 1 situation that covered it",
        "taken for known already, in 1 situation that covered it",
        "the veteran was wrong in 1 situation that covered it",
        "no situation covered it",
    ]
    assert missed.traces({}) == []


def test_a_terminal_gets_a_bar_that_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    def work() -> None:
        with progress.shown(quiet=True) as report:
            report("train [red]", 0.25)
            time.sleep(0.2)  # the bar is drawn ten times a second
            raise KeyError

    with pytest.raises(KeyError):
        work()
    err = capsys.readouterr().err
    assert "train [red]" in err
    assert "25%" in err
    assert err.rstrip().endswith("\x1b[2K"), "the line is cleared"
