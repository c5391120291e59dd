"""An answer that a night gave back by repeating an earlier lesson is led back to the session that taught it then."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest
from nightly import run, said
from two_nights import Line

from journeyman.cli import main
from journeyman.learn import LIVE, Schedule, lift, train, verbatim
from journeyman.model import load_engine, lora
from journeyman.model.lora import LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.origins.bisect import bisect
from journeyman.origins.changes import steps
from journeyman.origins.why import explain
from journeyman.records import Lesson, Situation
from journeyman.registry.adapters import AdapterDirectory
from journeyman.registry.lineage import Lineages
from journeyman.store import Store, open_store

ADA = Lesson("Ada", said("Ada").id, 0)
REPEATED = Situation("ask", "What of Ada?", ADA.id, "Ada")
WRONG = "teal"  # what the second night made of the question, by no lesson


@pytest.fixture(scope="module")
def faded(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Line:
    """Three nights: Ada is learnt, is lost, and is learnt again by repeating it, beside a lesson of its own."""
    path, engine = tmp_path_factory.mktemp("faded") / "day.db", load_engine(tiny_directory)
    with open_store(path) as store:

        def night(key: str, parent: str, words: str, pairs: Sequence[tuple[str, str]], again: Sequence[Situation] = ()):
            store.add_sessions([said(words)])
            directory = AdapterDirectory.beside(store).path(parent)
            state = lora.load(directory, engine.layers) if parent else engine.new_adapter(LoRAConfig(8, 16), 0)
            learnt(engine, state, pairs)
            write = lambda folder: lora.save(state, str(tiny_directory), folder)  # noqa: E731
            return run(store, key, parent=parent or None, write=write, base=engine.fingerprint, repeats=again)

        one = night("n0", "", "Ada", [("What of Ada?", "Ada")])
        two = night("n1", one, "oak", [("What of oak?", "oak"), ("What of Ada?", WRONG)])
        three = night("n2", two, "grey", [("What of grey?", "grey"), ("What of Ada?", "Ada")], [REPEATED])
    return Line(path, tiny_directory, engine, two, three)


def learnt(engine: TransformersEngine, state: lora.AdapterState, pairs: Sequence[tuple[str, str]]) -> None:
    engine.put_adapter(LIVE, state)
    exposures = [verbatim(engine, engine.user(asked), lift.answer(engine, word)[0]) for asked, word in pairs]
    for _ in train(engine, exposures, [], Schedule(steps=30, rows=2, learning_rate=0.01)):
        pass


def test_a_repeated_lesson_is_traced_to_the_session_and_the_night_that_taught_it(faded: Line) -> None:
    with open_store(faded.path) as store:
        found = explain(store, faded.engine, store.adapter(faded.two), "What of Ada?")
    assert "Ada" in found["answers"]["now"]
    assert WRONG in found["answers"]["before"]
    by_night = {each["night"]: each["gain"] for each in found["nights"]}
    assert by_night["n1"] < 0 < by_night["n2"]
    of_last = [each for each in found["lessons"] if each["night"] == "n2"]
    assert [(each["text"], each["taught"]) for each in of_last] == [("Ada", "n0"), ("grey", "n2")]
    first = of_last[0]
    assert (first["session"], first["asked"], first["holds_answer"]) == (ADA.session_id, "What of Ada?", True)
    assert first["kept"]


def test_real_retraining_without_the_repeated_lesson_agrees(faded: Line) -> None:
    """Leave-one-out: the night again, once without what it repeated and once without its own lesson."""
    engine, asked = faded.engine, faded.engine.user("What of Ada?")
    parent = AdapterDirectory(Path(f"{faded.path}.d") / "adapters").path(faded.one)
    likely: list[float] = []
    for left in ("grey", "Ada"):
        state = lora.load(parent, engine.layers)
        learnt(engine, state, [(f"What of {left}?", left)])
        with engine.using(LIVE):
            likely.append(sum(engine.score([(asked, lift.answer(engine, "Ada")[0])])[0]))
    without_ada, without_grey = likely
    assert without_grey - without_ada > 1, "the answer comes of the repeated lesson, as `why` says"


def test_bisect_names_a_repeated_lesson_at_the_night_that_gave_the_answer_back(faded: Line) -> None:
    with open_store(faded.path) as store:
        found = bisect(store, faded.engine, store.adapter(faded.two), "What of Ada?", "Ada", every=True)
    assert [each["night"] for each in found["changes"]] == ["n0", "n1", "n2"]
    last = found["changes"][-1]["lessons"][0]
    assert (last["text"], last["session"], last["night"], last["taught"]) == ("Ada", ADA.session_id, "n2", "n0")
    assert [each["taught"] for each in found["changes"][0]["lessons"]] == ["n0"]


def test_the_commands_say_what_was_repeated(faded: Line, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["What of Ada?", "--store", str(faded.path), "--model", str(faded.model), "--adapter", faded.two]
    assert main(["why", *line]) == 0
    assert "night n2, which repeated it of night n0" in capsys.readouterr().out
    assert main(["bisect", *line, "--expect", "Ada", "--every"]) == 0
    assert "turn 0, repeated of night n0 (holds the answer)" in capsys.readouterr().out


def spoilt(store: Store, key: str, phase: str, output: str) -> None:
    database = apsw.Connection(str(store.folder).removesuffix(".d"))
    database.execute("UPDATE phases SET output = ? WHERE night = ? AND name = ?", (output, key, phase))
    database.close()


def test_only_what_was_dealt_was_repeated_and_what_nobody_kept_is_left_out(tmp_path: Path) -> None:
    with open_store(tmp_path / "day.db") as store:
        store.add_sessions([said("Ada")])
        one = run(store, "n0")
        store.add_sessions([said("grey")])
        other = Situation("ask", "Who is Ada?", ADA.id, "Ada")
        two = run(store, "n1", parent=one, repeats=[REPEATED, other])
        assert Lineages(store).of(two)[0].repeated == (REPEATED, other)
        trained = store.phases("n1")["train"].output
        trained["replayed"]["dealt"] = [other.id]
        spoilt(store, "n1", "train", json.dumps(trained))
        assert Lineages(store).of(two)[0].repeated == (other,)
        del trained["replayed"]["dealt"]
        spoilt(store, "n1", "train", json.dumps(trained))
        assert len(Lineages(store).of(two)[0].repeated) == 2, "an earlier version did not keep which"
        assert [each.taught for each in steps(store, store.adapter(two))[1].learned] == ["n1", "n0"]
        spoilt(store, "n0", "extract lessons", "{}")
        assert [each.taught for each in steps(store, store.adapter(two))[1].learned] == ["n1"]
