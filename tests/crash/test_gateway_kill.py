"""kill -9 while many clients are being answered: what a client received whole is kept, once."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import apsw
import openai
import pytest

from journeyman.capture import conversations
from journeyman.store import open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "capture"))
from asking import until
from engine import Engine
from served import serving

ROUNDS = int(os.environ.get("JOURNEYMAN_CRASH_ROUNDS", "4"))
CLIENTS = 16


class Client(threading.Thread):
    """Asks until its server is gone; `got` maps the receipt of each answer that it received whole to its text."""

    def __init__(self, number: int, round: int, url: str) -> None:
        super().__init__(daemon=True)
        self.number, self.round, self.url = number, round, url
        self.got: dict[str, str] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        asking = openai.OpenAI(base_url=self.url, api_key="none", max_retries=2, timeout=5)
        try:
            for count in range(10_000):
                words = f"{self.round} {self.number} {count}"
                (self._stream if self.number % 2 else self._plain)(asking, words)
                if self.ended.is_set():
                    return
        except Exception:  # the server is gone: in any of the ways that it can be
            return

    def _plain(self, asking: openai.OpenAI, words: str) -> None:
        wish: Any = [
            {"role": "user", "content": f"call t{words.replace(' ', '_')}" if self.number % 4 == 2 else f"say {words}"}
        ]
        answer = asking.chat.completions.create(model="m", messages=wish)
        message = answer.choices[0].message
        text = message.tool_calls[0].function.name if message.tool_calls else message.content or ""  # type: ignore[union-attr]
        self.got[(answer.model_extra or {})["journeyman"]["receipt"]] = text

    def _stream(self, asking: openai.OpenAI, words: str) -> None:
        receipt, text, whole = "", "", False
        for event in asking.chat.completions.create(
            model="m", messages=[{"role": "user", "content": f"say {words}"}], stream=True
        ):
            receipt = receipt or (event.model_extra or {})["journeyman"]["receipt"]
            text += event.choices[0].delta.content or ""
            whole = whole or event.choices[0].finish_reason is not None
        if whole:
            self.got[receipt] = text


@pytest.mark.timeout(600)
def test_every_answer_that_was_received_whole_is_kept_once(tmp_path: Path) -> None:
    rng = random.Random(7)
    store_path = tmp_path / "day.db"
    received: dict[str, str] = {}
    with Engine() as engine:
        for round in range(ROUNDS):
            with serving(store_path, engine.url) as served:
                clients = [Client(number, round, served.url) for number in range(CLIENTS)]
                for each in clients:
                    each.start()
                until(lambda clients=clients: sum(len(each.got) for each in clients) >= CLIENTS, 120)
                time.sleep(rng.uniform(0.0, 1.0))
                served.process.kill()
                served.process.wait()
                for each in clients:
                    each.ended.set()
                for each in clients:
                    each.join(30)
                    assert not received.keys() & each.got.keys()
                    received |= each.got
        with serving(store_path, engine.url):
            pass
    assert len(received) > ROUNDS * CLIENTS, "the clients were answered"
    connection = apsw.Connection(str(store_path))
    assert connection.pragma("integrity_check") == "ok"
    with open_store(store_path) as store:
        kept = {each.receipt: each for each in store.exchanges()}
        for receipt, text in received.items():
            exchange = kept[receipt]
            assert exchange.ending == "complete"
            assert exchange.reply
            said = [call["function"]["name"] for call in exchange.reply.get("tool_calls") or ()] or [
                exchange.reply["content"]
            ]
            assert said == [text]
        endings = Counter(each.ending for each in kept.values())
        assert endings["open"] == 0
        # Of one question, however often it was tried again, there is one conversation.
        asked = [session.turns[0].content for session in conversations.sessions(store, "train")]
        whole = [content for content in asked if content]
        assert max(Counter(whole).values()) == 1, endings
