"""Clients that ask a gateway until they are told to stop, and remember what they received."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import openai

from journeyman.store import Store


class Client(threading.Thread):
    """`got` maps the receipt of each answer that was received whole to its text, and `cut` that of each stream that
    broke off to the text that had come; `failed` counts what was not answered whole.

    Odd numbers stream, every other of them slowly; of the even ones every other has a tool called. `moody`: what they
    wish, but for the tool, is left to the engine's moods.
    """

    def __init__(self, number: int, round: int, url: str, *, moody: bool = False) -> None:
        super().__init__(daemon=True)
        self.number, self.round, self.url = number, round, url
        self.wish = "moody" if moody else "wait 20" if number % 4 == 1 else "say"
        self.got: dict[str, str] = {}
        self.cut: dict[str, str] = {}
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
        calls = self.number % 4 == 2
        wish: Any = [
            {"role": "user", "content": f"call t{words.replace(' ', '_')}" if calls else f"{self.wish} {words}"}
        ]
        answer = asking.chat.completions.create(model="m", messages=wish)
        message = answer.choices[0].message
        text = message.tool_calls[0].function.name if message.tool_calls else message.content or ""  # type: ignore[union-attr]
        self.got[(answer.model_extra or {})["journeyman"]["receipt"]] = text

    def _stream(self, asking: openai.OpenAI, words: str) -> None:
        receipt, text, whole = "", "", False
        wish: Any = [{"role": "user", "content": f"{self.wish} {words} and so it goes on, word by word"}]
        try:
            for event in asking.chat.completions.create(model="m", messages=wish, stream=True):
                receipt = receipt or (event.model_extra or {})["journeyman"]["receipt"]
                text += event.choices[0].delta.content or ""
                whole = whole or event.choices[0].finish_reason is not None
        finally:
            if receipt:
                (self.got if whole else self.cut)[receipt] = text


@contextmanager
def asking(count: int, round: int, url: str, *, moody: bool = False) -> Iterator[list[Client]]:
    """So many of them, each told to stop and waited for at the end."""
    clients = [Client(number, round, url, moody=moody) for number in range(count)]
    for each in clients:
        each.start()
    try:
        yield clients
    finally:
        for each in clients:
            each.ended.set()
        for each in clients:
            each.join(30)


def check_kept(store: Store, clients: Iterable[Client]) -> None:
    """Every answer that was received whole is in the store, as it was; every stream that broke off is there as cut, or
    as whole if only its end did not arrive; nothing is there twice; and nothing is open."""
    kept = {each.receipt: each for each in store.exchanges()}
    assert len(kept) == len(store.exchanges())
    for client in clients:
        for receipt, text in client.got.items():
            exchange = kept[receipt]
            assert exchange.ending == "complete"
            assert exchange.reply
            called = [call["function"]["name"] for call in exchange.reply.get("tool_calls") or ()]
            assert (called or [exchange.reply["content"]]) == [text]
        for receipt, text in client.cut.items():
            exchange = kept[receipt]
            assert exchange.ending.startswith("cut by ") or exchange.ending == "complete"
            said = (exchange.reply or {}).get("content") or ""
            # The end may not have reached the client; nor, of what was cut, the disk: the last word, which may be the
            # beginning of a secret, or, if the server was killed, what it had not judged yet.
            missing = text.removeprefix(said).split()
            assert said.startswith(text) or (exchange.ending != "complete" and text.startswith(said))
            assert said.startswith(text) or exchange.ending == "cut by server" or len(missing) == 1
    assert not [each.receipt for each in kept.values() if each.ending == "open"]
