"""How hard a task is: from one pass over its calls, as many rollouts would say it."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from pathlib import Path

import pytest

from journeyman.learn.calling import Shown, Work, decisions
from journeyman.learn.difficulty import ALWAYS, NEVER, SOMETIMES, band, chances
from journeyman.model import load_engine
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world import Call

SHOWN = Shown("You look after lamps.", ())
ONE = Work("Light L-1.", ((Call("light", {"lamp": "L-1"}), "done"),))
TWO = Work("Light L-1 and L-2.", (*ONE.steps, (Call("light", {"lamp": "L-2"}), "done")))


@pytest.fixture
def engine(make_tiny: Callable[..., Path], tmp_path: Path) -> TransformersEngine:
    return load_engine(make_tiny("llama", tmp_path / "model", max_position_embeddings=4096))


def test_a_chance_is_that_of_all_calls_after_each_other(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = chances(engine, None, [(SHOWN, ONE), (SHOWN, TWO)])
    assert 0 <= two < one < 1e-6  # a model that knows nothing, and replies of many tokens
    calls = {tuple(reply): number for number, (_, reply) in enumerate(decisions(engine, SHOWN, TWO))}
    says = {0: [-0.1, -0.2], 1: [-0.5]}
    monkeypatch.setattr(engine, "score", lambda pairs: [says[calls[tuple(reply)]] for _, reply in pairs])
    assert chances(engine, None, [(SHOWN, TWO), (SHOWN, ONE)]) == pytest.approx([exp(-0.8), exp(-0.3)])


def test_what_is_always_done_is_told_from_what_never_is() -> None:
    assert [band(chance) for chance in (1.0, 0.9, 0.5, 0.1, 0.09, 0.0)] == [
        ALWAYS, ALWAYS, SOMETIMES, SOMETIMES, NEVER, NEVER,
    ]  # fmt: skip
