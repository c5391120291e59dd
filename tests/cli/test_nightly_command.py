"""`journeyman nightly`: rounds of real nights on a tiny model, with nobody there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from listener import listening
from program import start
from short_nights import pass_all, shorten

from journeyman import night_rebuild
from journeyman.cli import build_parser, main, nightly
from journeyman.nightly.book import Book
from journeyman.records import Session, Turn
from journeyman.store import open_store

SAID = {
    "ann": "My boat is called Rosalba. It is moored in Genoa and cost me $8500.",
    "bob": "My boat is called Bettina. It is moored in Trieste and cost me $1700.",
}
MORE = "My sister Carla keeps 19 bees in a box behind the tram depot."


@pytest.fixture(autouse=True)
def _short_and_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few of the general suite, and a gate that lets all pass: rounds are under test here."""
    shorten(monkeypatch)
    pass_all(monkeypatch)
    monkeypatch.delenv(nightly.WEBHOOK, raising=False)


def say(path: Path, tenant: str, words: str) -> None:
    with open_store(path) as store:
        store.add_sessions([Session((Turn("user", words),), tenant=tenant)])


@pytest.fixture
def day(tmp_path: Path) -> Path:
    for tenant, words in SAID.items():
        say(tmp_path / "day.db", tenant, words)
    return tmp_path / "day.db"


Once = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def once(day: Path, tiny_directory: Path, capsys: pytest.CaptureFixture[str]) -> Once:
    def call(*words: str, clock: Callable[[], float] = time.time) -> tuple[int, dict[str, Any]]:
        options = ("--once", "--store", day, "--model", tiny_directory, "--steps", 2, "--json", *words)
        code = nightly.run(build_parser().parse_args(["nightly", *map(str, options)]), clock)
        return code, json.loads(capsys.readouterr().out)

    return call


def after(path: Path, phase: str, then: Callable[[], float]) -> Callable[[], float]:
    """A clock that shows what `then` gives as soon as a night has committed this phase."""

    def clock() -> float:
        with open_store(path) as store:
            committed = any(phase in store.phases(night.key) for night in store.nights())
        return then() if committed else time.time()

    return clock


def test_a_night_for_each_who_has_something_new(day: Path, once: Once) -> None:
    with listening([500]) as hook:
        code, line = once("--webhook", hook.url)
        nights = {each["tenant"]: each for each in line["nights"]}
        assert (code, line["failed"], line["stopped"], line["webhook"], list(nights)) == (0, 0, "", "told", [*SAID])
        assert all((each["state"], each["verdict"]) == ("ended", "PROMOTE") for each in nights.values())
        assert all(Path(each["report"]).read_text("utf-8").startswith("<!") for each in nights.values())
        assert once("--webhook", hook.url)[1]["nights"] == [], "there is nothing new"
        say(day, "bob", MORE)
        assert [each["tenant"] for each in once("--webhook", hook.url)[1]["nights"]] == ["bob"]
        assert len(hook.heard) == 4, "one was refused and sent again; a round without a night is told of, too"
        told = hook.heard[0]
        assert told["text"].endswith("ann: PROMOTE, bob: PROMOTE")
        assert told["store"] == "day.db"
        assert {each["adapter"] for each in told["nights"]} == {each["adapter"] for each in nights.values()}
    lines = Book(Path(f"{day}.d")).lines()
    assert [len(each["nights"]) for each in lines] == [2, 0, 1]
    assert lines[0] == line
    assert "s3cret" not in json.dumps(lines)
    assert Book(Path(f"{day}.d")).read_now() is None


def test_one_that_fails_keeps_no_other_from_its_own(day: Path, once: Once) -> None:
    first = {each["tenant"]: each["adapter"] for each in once()[1]["nights"]}
    shutil.rmtree(Path(f"{day}.d") / "adapters" / first["ann"])
    for tenant in SAID:
        say(day, tenant, MORE)
    with listening() as hook:
        code, line = once("--webhook", hook.url)
        ann, bob = line["nights"]
        assert (code, line["failed"], ann["tenant"], ann["state"], bob["state"]) == (1, 1, "ann", "failed", "ended")
        assert "cannot be read" in ann["error"]
        assert hook.heard[0]["nights"][0] == {"tenant": "ann", "state": "failed", "kind": "AdapterError"}
        assert str(day.parent) not in json.dumps(hook.heard), "words of errors stay here"


def test_a_webhook_that_fails_fails_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_store(tmp_path / "day.db").close()
    with listening([403]) as hook:
        assert main(["nightly", "--once", "--store", str(tmp_path / "day.db"), "--webhook", hook.url, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["webhook"] == "it answered 403"
    assert err == "the webhook was not told: it answered 403\n"


def test_what_the_time_cuts_off_is_gone_on_with_before_what_came_since(day: Path, once: Once) -> None:
    late = after(day, "dream situations", lambda: time.time() + 3600)
    code, line = once("--max-minutes", "30", clock=late)
    assert (code, line["stopped"]) == (0, "time")
    assert [each["state"] for each in line["nights"]] == ["stopped", "not begun"]
    with open_store(day) as store:
        (cut,) = store.nights()
        done = store.phases(cut.key)
    assert list(done) == ["extract lessons", "dream situations"]
    say(day, "ann", MORE)
    code, line = once()
    assert (code, [each["tenant"] for each in line["nights"]]) == (0, ["ann", "ann", "bob"])
    assert line["nights"][0]["night"] == cut.key
    assert [each["sessions"] for each in line["nights"]] == [1, 1, 1]
    with open_store(day) as store:
        phases = store.phases(cut.key)
        assert {name: phases[name] for name in done} == done, "nothing was done twice"
        assert len(phases) == 6


def test_cpu_time_is_a_budget_too(once: Once) -> None:
    code, line = once("--max-cpu-minutes", "0.000001")
    assert (code, line["stopped"]) == (0, "cpu")
    assert [each["state"] for each in line["nights"]] == ["not begun", "not begun"]


def test_a_request_to_end_waits_for_the_phase_under_way(day: Path, once: Once) -> None:
    asked: list[None] = []

    def then() -> float:
        if not asked:
            asked.append(os.kill(os.getpid(), signal.SIGTERM))
        return time.time()

    code, line = once(clock=after(day, "extract lessons", then))
    assert (code, line["stopped"], line["nights"][0]["state"]) == (1, "request", "stopped")
    left = Book(Path(f"{day}.d")).read_now()
    assert left
    assert left["state"] == "running", "whoever is started next goes on at once"
    code, line = once()
    assert (code, line["tries"], [each["state"] for each in line["nights"]]) == (0, 2, ["ended", "ended"])


def test_two_rounds_at_once_are_refused(day: Path, tiny_directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["nightly", "--once", "--store", str(day), "--model", str(tiny_directory)]
    with open_store(day) as store, store.lock("round"):
        assert main(words) == 1
    assert "another round is running" in capsys.readouterr().err


# -- waiting

WATCH = """
import sys, time
from journeyman.cli import _ending_like_ctrl_c, build_parser, nightly
args = build_parser().parse_args(["nightly", *sys.argv[2:]])
shift = float(sys.argv[1]) - time.time()
with _ending_like_ctrl_c():
    sys.exit(nightly.run(args, lambda: time.time() + shift))
"""
TWO = datetime.now().astimezone().replace(hour=2, minute=0, second=0, microsecond=0)


def until(true: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    """A store in which nothing has been said."""
    open_store(tmp_path / "day.db").close()
    return tmp_path / "day.db"


@pytest.fixture
def watch(quiet: Path, tiny_directory: Path) -> Iterator[Callable[..., Any]]:
    """Starts `nightly --at 02:00` when it is so many seconds after two."""
    running = []

    def call(seconds: float, *words: str) -> Any:
        options = ("--at", "02:00", "--store", quiet, "--model", tiny_directory, *words)
        running.append(start(TWO.timestamp() + seconds, *options, code=WATCH))
        return running[-1]

    yield call
    for process in running:
        process.kill()
        process.communicate()


def test_it_waits_runs_and_waits_again(quiet: Path, watch: Callable[..., Any]) -> None:
    book = Book(Path(f"{quiet}.d"))
    with listening() as hook:
        process = watch(-2, "--webhook", hook.url, "--max-minutes", "60")
        waiting = until(book.read_now)
        assert waiting["state"] == "waiting"
        (line,) = until(book.lines)
        later = until(lambda: (now := book.read_now()) and now["state"] == "waiting" and now)
        assert datetime.fromisoformat(later["next"]) - datetime.fromisoformat(waiting["next"]) > timedelta(hours=22)
        assert (line["nights"], line["failed"]) == ([], 0)
        assert len(hook.heard) == 1
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, book.read_now()) == (0, None)
    assert out == f"night of {line['began']}: nothing new\n"
    assert hook.url not in out + err


def test_a_round_that_is_killed_is_started_again_and_told_when_to_end(quiet: Path, watch: Callable[..., Any]) -> None:
    say(quiet, "ann", "Hi!")  # a night over that takes as long as it takes to load the model
    book = Book(Path(f"{quiet}.d"))
    process = watch(-1)
    left = until(lambda: (now := book.read_now()) and now["state"] == "running" and now)
    os.kill(left["pid"], signal.SIGKILL)
    until(lambda: (now := book.read_now()) and now.get("tries") == 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 1
    (line,) = book.lines()
    assert (line["tries"], line["failed"]) == (2, 0)


def test_one_that_was_left_in_the_middle_is_gone_on_with_within_its_time(
    quiet: Path, watch: Callable[..., Any]
) -> None:
    book = Book(Path(f"{quiet}.d"))
    book.set_now(state="running", began=TWO.isoformat(), tries=1)
    process = watch(1800, "--max-minutes", "60")
    (line,) = until(book.lines)
    assert (line["tries"], line["stopped"]) == (2, "")
    process.kill()
    process.communicate()
    book.set_now(state="running", began=TWO.isoformat(), tries=1)
    watch(5400, "--max-minutes", "60")
    _, line = until(lambda: (lines := book.lines())[1:] and lines)
    assert (line["stopped"], line["failed"], line["nights"]) == ("crash", 1, []), "too late for it"
    assert until(lambda: (now := book.read_now()) and now["state"] == "waiting")


def test_what_an_erasure_felled_is_made_anew_before_all_else(day: Path, once: Once) -> None:
    say(day, "bob", MORE)
    once()
    with open_store(day) as store:
        boat = next(each.id for each in store.sessions(tenant="bob") if "boat" in each.turns[0].content)
        night_rebuild.Rebuild(store).erase(session=boat)  # and then it was killed
        [pending] = night_rebuild.pending(store)
    code, line = once()
    assert (code, [(each["tenant"], each["verdict"]) for each in line["nights"]]) == (0, [("bob", "REBUILT")])
    with open_store(day) as store:
        assert night_rebuild.pending(store) == []
        assert store.erasures()[0].rebuild["supplement"]["certificate"]["erasure"] == pending.id
        champion = store.champion(pending.service[0][0], "bob")
        assert champion
        assert champion.hash == line["nights"][0]["adapter"]
    assert once()[1]["nights"] == []
