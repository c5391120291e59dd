"""What is remembered is what the store would say, and no more than is needed."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from journeyman.capture import recent
from journeyman.capture.recent import Recent
from journeyman.records import Exchange
from journeyman.store import open_store


def test_a_beginning_is_remembered_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Exchange(receipt="", session="s", request=b"{}", started_at="", tenant="ann", begins="b")
    now = time.time()
    with open_store(tmp_path / "day.db") as store:
        for ago, begins in ((5, "late"), (500, "early")):
            receipt = f"r_{int((now - ago) * 1000):012x}{'0' * 12}"
            store.write_exchanges(closed=[replace(begun, receipt=receipt, begins=begins, ending="complete")])
        remembered = Recent(store, seconds=100)
    assert remembered.begin("ann", "late"), "an earlier server's"
    assert not remembered.begin("ann", "early")
    assert not remembered.begin("bob", "late")
    assert remembered.begin("bob", "late")
    later = time.monotonic() + 101
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not remembered.begin("bob", "late")
    assert remembered.begin("bob", "late")
    assert len(remembered._begun) == 1


def test_the_newest_ends_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_ENDS", 2)
    with open_store(tmp_path / "day.db") as store:
        remembered = Recent(store, seconds=1)
    for ends, session in (("a", "s1"), ("b", "s2"), ("a", "s3"), ("c", "s4")):
        remembered.end("ann", ends, session)
    assert [remembered.session("ann", ends) for ends in "abc"] == ["s3", "", "s4"]
    assert remembered.session("bob", "a") == ""
