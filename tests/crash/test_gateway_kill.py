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
from clients import asking, check_kept

from journeyman.capture import conversations
from journeyman.store import open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "capture"))
from engine import Engine
from served import serving

ROUNDS = int(os.environ.get("JOURNEYMAN_CRASH_ROUNDS", "4"))
CLIENTS = 16


@pytest.mark.timeout(600)
def test_every_answer_that_was_received_whole_is_kept_once(address: str) -> None:
    rng = random.Random(7)
    received: dict[str, str] = {}
    with Engine() as engine:
        for round in range(ROUNDS):
            with serving(address, engine.url) as served:
                with asking(CLIENTS, round, served.url) as clients:
                    while sum(len(each.got) for each in clients) <= CLIENTS:
                        time.sleep(0.01)
                    time.sleep(rng.uniform(0.0, 1.0))
                    served.kill()
                for each in clients:
                    assert not received.keys() & each.got.keys()
                    received |= each.got
        with serving(address, engine.url):
            pass
    assert len(received) > ROUNDS * CLIENTS, "the clients were answered"
    if Path(address).exists():
        assert apsw.Connection(address).pragma("integrity_check") == "ok"
    with open_store(address) as store:
        check_kept(store, received)
        # Of one question, however often it was tried again, there is one conversation.
        asked = [session.turns[0].content for session in conversations.sessions(store, "train")]
        assert max(Counter(filter(None, asked)).values()) == 1
