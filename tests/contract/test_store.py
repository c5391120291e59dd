"""What every Store keeps to, whatever is behind it. A new implementation is one more line in conftest."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from journeyman.errors import AdapterError, StoreError, UsageError
from journeyman.records import AdapterRecord, Session, ToolCall, Turn
from journeyman.store import Store, open_store

CALL = ToolCall("c1", "look_up", '{"id": 7}')
RICH = Session(
    (
        Turn("system", "Be brief."),
        Turn("user", "naïve 🦉 \x00 'quoted'"),
        Turn("assistant", "", (CALL,)),
        Turn("tool", "7: owl", tool_call_id="c1", name="look_up"),
    ),
    key="k",
    user="ann",
    topic="owls",
    started_at="2026-03-16T01:00:00Z",
)
GOOD = AdapterRecord("aa11", "base", "n1", "PROMOTE", created_at="2026-03-16T01:00:00+00:00")
NEXT = AdapterRecord("aa22", "base", "n2", "PROMOTE", parent="aa11")
BAD = AdapterRecord("bb11", "base", "n3", "REJECT")
UNSURE = AdapterRecord("bb22", "base", "n4", "INSUFFICIENT")


def said(*words: str) -> list[Session]:
    return [Session((Turn("user", word),)) for word in words]


# -- sessions


def test_a_session_comes_back_as_it_was(store: Store) -> None:
    assert store.add_sessions([RICH]) == [True]
    assert store.sessions() == [RICH]


def test_a_session_is_kept_once(store: Store) -> None:
    a, b, c = said("a", "b", "c")
    assert store.add_sessions([a, b, a]) == [True, True, False]
    assert store.add_sessions(iter([b, c])) == [False, True]
    assert store.sessions() == [a, b, c]
    assert store.count_sessions() == 3


def test_what_comes_again_for_fewer_purposes_is_kept_for_these(store: Store) -> None:
    """And never for more: whatever comes first."""
    hi = Session((Turn("user", "hi"),), cut=(0,))
    served, learnt = replace(hi, purposes=("serve", "train")), replace(hi, purposes=("train", "dream"))
    assert store.add_sessions([hi, served]) == [True, False]
    assert store.sessions() == [served]
    assert store.add_sessions([hi, learnt]) == [False, False]
    assert store.sessions() == [replace(hi, purposes=("train",))]


def test_sessions_by_id_come_in_order_of_arrival(store: Store) -> None:
    sessions = said(*(f"message {n}" for n in range(1200)))
    store.add_sessions(sessions)
    chosen = [sessions[1100], sessions[3], sessions[700]]
    assert store.sessions([each.id for each in chosen]) == [sessions[3], sessions[700], sessions[1100]]
    assert store.sessions({each.id for each in sessions}) == sessions
    assert store.sessions([]) == []
    assert store.sessions(["unknown"]) == []


def test_no_session_is_kept_if_one_of_them_fails(store: Store) -> None:
    def sessions() -> Iterator[Session]:
        yield from said("a", "b")
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        store.add_sessions(sessions())
    assert store.count_sessions() == 0
    assert store.add_sessions(said("a")) == [True]


def test_everything_is_there_after_reopening(reopen: Callable[[], Store]) -> None:
    with reopen() as store:
        store.add_sessions([RICH])
        store.begin_night("n1", {"seed": 1})
        store.commit_phase("n1", "lessons", {"lessons": [1, 2]}, 1.5, 1.25, 10)
        store.finish_night("n1", {"verdict": "PROMOTE"}, GOOD, promote=True)
        before = store.nights(), store.phases("n1")
    with reopen() as store:
        assert store.sessions() == [RICH]
        assert (store.nights(), store.phases("n1")) == before
        assert store.champion("base") == GOOD


@pytest.mark.usefixtures("eager_switching")
def test_threads_share_a_store(store: Store) -> None:
    together = threading.Barrier(4)
    new: list[bool] = []

    def add(thread: int) -> None:
        together.wait()
        for n in range(20):
            own = said(*(f"of {thread} {n} {part}" for part in range(9)))
            new.extend(store.add_sessions([*said(f"of all {n}"), *own]))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(new) == 4 * 20 * 10, "no thread failed"
    assert sum(new) == store.count_sessions() == 20 + 4 * 20 * 9


def test_what_was_seen_is_the_beginning_of_what_is_seen_later(reopen: Callable[[], Store]) -> None:
    def write(writer: int) -> None:
        with reopen() as store:
            for n in range(30):
                store.add_sessions(said(*(f"{writer} {n} {part}" for part in range(3))))

    writers = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    with reopen() as reader:
        for each in writers:
            each.start()
        seen: list[Session] = []
        while len(seen) < 3 * 30 * 3:
            now = reader.sessions()
            assert now[: len(seen)] == seen
            assert len(now) % 3 == 0, "all of a call, or nothing"
            seen = now
    for each in writers:
        each.join()


# Waits until all are there, then opens the store and puts one session in.
RACER = """
import sys
from journeyman.records import Session, Turn
from journeyman.store import open_store
sys.stdin.readline()
with open_store(sys.argv[1]) as store:
    store.add_sessions([Session((Turn('user', sys.argv[2]),))])
"""


def test_many_processes_may_make_one_store_at_once(address: str) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", RACER, address]
    racers = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=env) for n in range(4)
    ]
    for racer in racers:
        assert racer.stdin
        racer.stdin.write(b"go\n")
        racer.stdin.flush()
    for racer in racers:
        _, errors = racer.communicate(timeout=60)
        assert racer.returncode == 0, errors.decode()
    with open_store(address, create=False) as store:
        assert store.count_sessions() == 4


def test_what_is_not_there_is_not_made_by_reading(address: str) -> None:
    for _ in range(2):
        with pytest.raises(UsageError, match="there is no store at"):
            open_store(address, create=False)


# -- nights


def test_a_night_runs_from_its_begin_to_its_end(store: Store) -> None:
    started = datetime.now(UTC)
    store.begin_night("n1", {"seed": 1, "shards": ["a", "b"]})
    store.begin_night("n2", {})
    first, second = store.nights()
    assert (first.key, first.spec) == ("n1", {"seed": 1, "shards": ["a", "b"]})
    assert (first.finished_at, first.result) == ("", None)
    assert abs((datetime.fromisoformat(first.started_at) - started).total_seconds()) < 60
    store.finish_night("n1", {"gain": 0.25})
    first, unchanged = store.nights()
    assert first.result == {"gain": 0.25}
    assert datetime.fromisoformat(first.finished_at) >= datetime.fromisoformat(first.started_at)
    assert unchanged == second
    store.finish_night("n2", {})
    assert store.nights()[1].result == {}, "an empty result is a result"


def test_a_night_is_begun_once(store: Store) -> None:
    store.begin_night("n1", {"seed": 1, "layers": (1, 2)})
    (begun,) = store.nights()
    store.begin_night("n1", {"layers": [1, 2], "seed": 1})
    assert store.nights() == [begun]
    with pytest.raises(StoreError, match="other settings"):
        store.begin_night("n1", {"seed": 2})
    assert store.nights() == [begun]


def test_phases_come_back_in_the_order_they_were_committed(store: Store) -> None:
    store.begin_night("n1", {})
    store.begin_night("n2", {})
    store.commit_phase("n1", "sample", {"ids": [1, [2, 3]], "text": "🦉"}, 2.5, 4.75, 1234)
    store.commit_phase("n2", "sample", {}, 0, 0, 0)
    store.commit_phase("n1", "learn", {}, 1, 1, 5)
    phases = store.phases("n1")
    assert list(phases) == ["sample", "learn"]
    sample = phases["sample"]
    assert (sample.night, sample.name, sample.output) == ("n1", "sample", {"ids": [1, [2, 3]], "text": "🦉"})
    assert (sample.seconds, sample.cpu_seconds, sample.tokens) == (2.5, 4.75, 1234)
    assert sample.committed_at <= phases["learn"].committed_at
    assert store.phases("unknown") == {}


def test_a_phase_is_committed_once(store: Store) -> None:
    store.begin_night("n1", {})
    store.commit_phase("n1", "learn", {"loss": 1}, 1, 1, 5)
    with pytest.raises(StoreError, match="phase learn of night n1 is committed already"):
        store.commit_phase("n1", "learn", {"loss": 2}, 1, 1, 5)
    assert store.phases("n1")["learn"].output == {"loss": 1}


def test_only_an_open_night_takes_a_phase_or_an_end(store: Store) -> None:
    with pytest.raises(StoreError, match="no night n1"):
        store.commit_phase("n1", "learn", {}, 1, 1, 5)
    with pytest.raises(StoreError, match="no night n1"):
        store.finish_night("n1", {})
    store.begin_night("n1", {})
    store.finish_night("n1", {"gain": 1})
    with pytest.raises(StoreError, match="night n1 ended"):
        store.commit_phase("n1", "learn", {}, 1, 1, 5)
    with pytest.raises(StoreError, match="night n1 ended"):
        store.finish_night("n1", {"gain": 2}, GOOD, promote=True)
    assert store.nights()[0].result == {"gain": 1}
    assert store.adapters() == []


def test_what_is_not_json_is_a_defect_and_is_not_kept(store: Store) -> None:
    store.begin_night("n1", {})
    with pytest.raises(ValueError, match="JSON"):
        store.commit_phase("n1", "learn", {"loss": float("nan")}, 1, 1, 5)
    assert store.phases("n1") == {}


# -- adapters


def test_an_adapter_is_registered_once(store: Store) -> None:
    store.add_adapter(GOOD)
    store.add_adapter(BAD)
    store.add_adapter(GOOD)
    good, bad = store.adapters()
    assert good == GOOD
    assert bad.hash == BAD.hash
    assert datetime.fromisoformat(bad.created_at).tzinfo is not None


def test_a_verdict_is_final(store: Store) -> None:
    store.add_adapter(BAD)
    better = AdapterRecord(BAD.hash, BAD.base, "n9", "PROMOTE")
    with pytest.raises(AdapterError, match="REJECT"):
        store.add_adapter(better)
    store.begin_night("n9", {})
    with pytest.raises(AdapterError, match="REJECT"):
        store.finish_night("n9", {}, better, promote=True)
    assert [each.verdict for each in store.adapters()] == ["REJECT"]
    assert store.champion("base") is None


def test_an_adapter_is_found_by_the_start_of_its_hash(store: Store) -> None:
    for each in (GOOD, NEXT, BAD, AdapterRecord("aa1", "base", "", "REJECT")):
        store.add_adapter(each)
    assert store.adapter("bb").hash == "bb11"
    assert store.adapter("aa2").hash == "aa22"
    assert store.adapter("aa1").hash == "aa1", "a whole hash wins over a longer one"
    with pytest.raises(AdapterError, match="begins 3 adapters") as ambiguous:
        store.adapter("aa")
    assert "aa11, aa22, aa1" in ambiguous.value.remedy
    for unknown in ("cc", "", "%", "a_", "aa111"):
        with pytest.raises(AdapterError, match="there is no adapter") as missing:
            store.adapter(unknown)
        assert "bb11" in missing.value.remedy


def test_the_latest_champion_is_in_service(store: Store) -> None:
    assert store.champion("base") is None
    store.add_adapter(GOOD)
    store.add_adapter(NEXT)
    assert store.champion("base") is None, "registering is not promoting"
    store.set_champion("base", "aa11")
    store.set_champion("base", "aa22")
    assert store.champion("base") == store.adapter("aa22")
    store.set_champion("base", "aa11")
    assert store.champion("base") == GOOD
    assert store.champion("another base") is None
    store.set_champion("base", None)
    assert store.champion("base") is None
    assert len(store.adapters()) == 2


@pytest.mark.parametrize("unfit", [BAD, UNSURE], ids=lambda adapter: adapter.verdict)
def test_only_a_promoted_adapter_becomes_champion(store: Store, unfit: AdapterRecord) -> None:
    store.add_adapter(GOOD)
    store.set_champion("base", GOOD.hash)
    store.add_adapter(unfit)
    with pytest.raises(AdapterError, match=unfit.verdict):
        store.set_champion("base", unfit.hash)
    with pytest.raises(AdapterError, match="was made for base"):
        store.set_champion("another base", GOOD.hash)
    with pytest.raises(AdapterError, match="there is no adapter"):
        store.set_champion("base", "unknown")
    assert store.champion("base") == GOOD
    assert store.champion("another base") is None


def test_a_night_ends_and_promotes_in_one_step(store: Store) -> None:
    store.begin_night("n1", {})
    store.finish_night("n1", {"verdict": "PROMOTE"}, GOOD, promote=True)
    assert store.champion("base") == GOOD
    store.begin_night("n2", {})
    store.finish_night("n2", {"verdict": "PROMOTE"}, NEXT)
    assert store.champion("base") == GOOD, "promotion is asked for"
    assert [each.hash for each in store.adapters()] == ["aa11", "aa22"]


def test_a_night_that_cannot_promote_does_not_end(store: Store) -> None:
    store.begin_night("n1", {})
    with pytest.raises(AdapterError, match="REJECT"):
        store.finish_night("n1", {"verdict": "PROMOTE"}, BAD, promote=True)
    assert store.nights()[0].finished_at == ""
    assert store.adapters() == []
    with pytest.raises(ValueError, match="no adapter was given"):
        store.finish_night("n1", {}, promote=True)
    store.finish_night("n1", {"verdict": "REJECT"}, BAD)
    assert store.nights()[0].result == {"verdict": "REJECT"}


# -- the lock


def test_one_holder_at_a_time(reopen: Callable[[], Store], store: Store) -> None:
    with reopen() as other:
        with store.lock("night"):
            for contender in (other, store):
                with (
                    pytest.raises(StoreError, match=r"another night is running \(pid \d+\)"),
                    contender.lock("night"),
                ):
                    pytest.fail("two nights at once")
            other.add_sessions(said("the day goes on"))
        with other.lock("night"):
            pass
    assert store.count_sessions() == 1


def test_a_night_that_fails_frees_the_lock(store: Store) -> None:
    with pytest.raises(RuntimeError), store.lock("night"):
        raise RuntimeError
    with store.lock("night"):
        pass
