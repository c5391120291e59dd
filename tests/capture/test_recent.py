"""What is remembered is what the store would say, and no more than is needed."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import Serve, ask, user

from journeyman.capture import recent
from journeyman.capture.recent import Recent
from journeyman.records import Exchange
from journeyman.registry import erasure
from journeyman.store import open_store


def test_what_an_earlier_server_began_is_remembered_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Exchange(receipt="", session="s", request=b"{}", started_at="", tenant="ann", begins="b")
    now = time.time()
    with open_store(tmp_path / "day.db") as store:
        for ago, begins in ((5, "late"), (500, "early")):
            receipt = f"r_{int((now - ago) * 1000):012x}{'0' * 12}"
            store.write_exchanges(closed=[replace(begun, receipt=receipt, begins=begins, ending="complete")])
        remembered = Recent(store, seconds=100)
    assert remembered.began("ann", "late")
    assert not remembered.began("ann", "early")
    assert not remembered.began("bob", "late")
    later = time.monotonic() + 101
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not remembered.began("ann", "late")


def test_the_newest_ends_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_ENDS", 2)
    with open_store(tmp_path / "day.db") as store:
        remembered = Recent(store, seconds=1)
    for ends, session in (("a", "s1"), ("b", "s2"), ("a", "s3"), ("c", "s4")):
        remembered.end("ann", ends, session)
    assert [remembered.session("ann", ends) for ends in "abc"] == ["s3", "", "s4"]
    assert remembered.session("bob", "a") == ""


def test_what_was_erased_is_not_remembered_and_a_client_that_goes_on_begins_anew(serve: Serve) -> None:
    served = serve()
    messages: list[Any] = user("say one")

    def go_on() -> str:
        answer = ask(served, "/v1/chat/completions", {"messages": messages})[1]
        messages.extend([answer["choices"][0]["message"], *user("say more")])
        return answer["journeyman"]["session"]

    first = go_on()
    assert go_on() == first
    with open_store(served.store) as store, store.lock("night"):
        erasure.erase(store, session=first)
    time.sleep(1.1)
    again = go_on()
    assert again != first
    assert go_on() == again
