"""Weights: load a model, switch adapters over it, generate, score.

Always holds: what a room below needs of a model goes through the `Engine` protocol, on token ids; adapters are states
over one copy of the weights. Importing this module imports no torch; `load_engine` does.

Knows nothing of sessions, lessons or training data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from journeyman.model.transformers_engine import TransformersEngine

Message = Mapping[str, Any]  # in OpenAI's format
Ids = Sequence[int]


class Engine(Protocol):
    """A language model that generates and scores token ids under a named adapter.

    Adapter None is the base. All log-probabilities are natural logarithms.
    """

    name: str
    fingerprint: str

    def chat(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of `messages` in the model's own chat template, up to where the assistant begins to speak."""
        ...

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Ids) -> str: ...

    def using(self, adapter: str | None) -> AbstractContextManager[None]:
        """Within it, every call runs under `adapter`."""
        ...

    def generate(
        self, prompts: Sequence[Ids], *, max_new_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[list[int]]:
        """A reply to each prompt, without the token that ended it. Temperature 0 is greedy."""
        ...

    def score(self, pairs: Sequence[tuple[Ids, Ids]]) -> list[list[float]]:
        """Of each (prefix, continuation): log p of every continuation token, given all before it."""
        ...

    def divergence(
        self, pairs: Sequence[tuple[Ids, Ids]], teacher: str | None, student: str | None
    ) -> list[list[float]]:
        """Forward KL(teacher || student) in nats at every continuation token, over the full vocabulary."""
        ...


def load_engine(
    model: str | Path,
    *,
    threads: int | None = None,
    dtype: Literal["float32", "bfloat16", "float16"] | None = None,
) -> TransformersEngine:
    """The engine for a default name, a directory or a hub name of a transformers causal language model.

    dtype: of the base's weights (None: as stored where there is a GPU, else float32); adapters are float32 over any.
    """
    from journeyman.model.transformers_engine import TransformersEngine

    return TransformersEngine.load(str(model), threads=threads, dtype=dtype)
