"""An engine without weights: one token a character, replies and likings from a script, by adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

Ids = Sequence[int]


class ScriptedEngine:
    """`replies[adapter][what the user said or the raw text]` is generated, greedily, letter by letter.

    `likes[adapter]` are the texts whose characters it finds likely (log p -1 instead of -2).
    """

    name = "scripted"
    fingerprint = "scripted-1"

    def __init__(
        self,
        replies: Mapping[str | None, Mapping[str, str]] | None = None,
        likes: Mapping[str | None, Sequence[str]] | None = None,
    ) -> None:
        self.replies = replies or {}
        self.likes = likes or {}
        self.active: str | None = None

    def chat(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        return self.encode("".join(f"<{m['role']}>{m['content']}\n" for m in messages) + "<assistant>")

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: Ids) -> str:
        return "".join(map(chr, ids))

    @contextmanager
    def using(self, adapter: str | None) -> Iterator[None]:
        before, self.active = self.active, adapter
        try:
            yield
        finally:
            self.active = before

    def generate(
        self, prompts: Sequence[Ids], *, max_new_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[list[int]]:
        assert temperature == 0.0
        assert seed == 0
        script = self.replies.get(self.active, {})
        texts = [self.decode(p).removeprefix("<user>").removesuffix("\n<assistant>") for p in prompts]
        return [self.encode(script.get(text, ""))[:max_new_tokens] for text in texts]

    def score(self, pairs: Sequence[tuple[Ids, Ids]]) -> list[list[float]]:
        assert all(prefix for prefix, _ in pairs), "the first token of nothing has no probability"
        liked = self.likes.get(self.active, ())
        return [[-1.0 if self.decode(c).strip() in liked else -2.0] * len(c) for _, c in pairs]

    def divergence(
        self, pairs: Sequence[tuple[Ids, Ids]], teacher: str | None, student: str | None
    ) -> list[list[float]]:
        return [[0.0 if teacher == student else 0.25] * len(continuation) for _, continuation in pairs]
