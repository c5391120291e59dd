"""Clients that ask a gateway until they are told to stop, and remember what they received whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai

from journeyman.store import Store


class Client(threading.Thread):
    """`got` maps the receipt of each answer that was received whole to its text; `failed` counts the others.

    Odd numbers stream; of the even ones every other has a tool called.
    """

    def __init__(self, number: int, round: int, url: str) -> None:
        super().__init__(daemon=True)
        self.number, self.round, self.url = number, round, url
        self.got: dict[str, str] = {}
        self.failed = 0
        self.ended = threading.Event()

    def run(self) -> None:
        asking = openai.OpenAI(base_url=self.url, api_key="none", max_retries=2, timeout=5)
        for count in range(10_000):
            words = f"{self.round} {self.number} {count}"
            try:
                (self._stream if self.number % 2 else self._plain)(asking, words)
            except Exception:  # the server is gone, or has no place: in any of the ways that it can be
                self.failed += 1
                self.ended.wait(0.05)
            if self.ended.is_set():
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


@contextmanager
def asking(count: int, round: int, url: str) -> Iterator[list[Client]]:
    """So many of them, each told to stop and waited for at the end."""
    clients = [Client(number, round, url) for number in range(count)]
    for each in clients:
        each.start()
    try:
        yield clients
    finally:
        for each in clients:
            each.ended.set()
        for each in clients:
            each.join(30)


def check_kept(store: Store, received: dict[str, str]) -> None:
    """Every answer that was received whole is in the store, as it was; and nothing is open."""
    kept = {each.receipt: each for each in store.exchanges()}
    for receipt, text in received.items():
        exchange = kept[receipt]
        assert exchange.ending == "complete"
        assert exchange.reply
        called = [call["function"]["name"] for call in exchange.reply.get("tool_calls") or ()]
        assert (called or [exchange.reply["content"]]) == [text]
    assert not [each.receipt for each in kept.values() if each.ending == "open"]
