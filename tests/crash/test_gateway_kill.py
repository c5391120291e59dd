"""kill -9 while many clients are being answered: what a client received whole is kept, once."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import apsw
import pytest
from clients import Client, asking, check_kept

from journeyman.capture import conversations
from journeyman.store import open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "capture"))
from engine import Engine
from served import serving

ROUNDS = int(os.environ.get("JOURNEYMAN_CRASH_ROUNDS", "4"))
CLIENTS = 16


@pytest.mark.timeout(600)
@pytest.mark.parametrize("moody", [False, True], ids=["a good engine", "one that fails in all ways"])
def test_every_answer_that_was_received_whole_is_kept_once(address: str, moody: bool) -> None:
    rng = random.Random(7)
    asked: list[Client] = []
    received: Counter[str] = Counter()
    with Engine() as engine:
        for round in range(ROUNDS):
            with serving(address, engine.url, "--timeout", "1") as served:
                with asking(CLIENTS, round, served.url, moody=moody) as clients:
                    while sum(len(each.got) for each in clients) <= CLIENTS:
                        time.sleep(0.01)
                    time.sleep(rng.uniform(0.0, 1.0))
                    served.kill()
                asked += clients
        with serving(address, engine.url):
            pass
    for each in asked:
        received.update(each.got.keys() | each.cut.keys())
    assert set(received.values()) == {1}, "no two clients were given the same"
    assert sum(len(each.got) for each in asked) > ROUNDS * CLIENTS, "the clients were answered"
    if Path(address).exists():
        assert apsw.Connection(address).pragma("integrity_check") == "ok"
    with open_store(address) as store:
        check_kept(store, asked)
        endings = Counter(each.ending for each in store.exchanges())
        cut = [kept.ending for kept in store.exchanges(receipts=[name for each in asked for name in each.cut])]
        assert "cut by server" in cut, "streams were killed, and are there as cut"
        if moody:
            assert endings["cut by upstream"]
            assert endings["refused"]
        # Of one question, however often it was tried again, there is one conversation.
        questions = [session.turns[0].content for session in conversations.sessions(store, "train")]
        assert max(Counter(filter(None, questions)).values()) == 1
