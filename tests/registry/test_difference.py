"""How far two adapters are apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from nightly import run, said

from journeyman.errors import AdapterError
from journeyman.model import lora
from journeyman.registry.difference import compare
from journeyman.store import Store, open_store

if TYPE_CHECKING:
    from journeyman.model.transformers_engine import TransformersEngine

TREE, BOAT = said("I planted a walnut"), said("my boat is called Ada")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "day.db") as opened:
        opened.add_sessions([TREE])
        yield opened


def trained(engine: TransformersEngine, seed: int, rank: int, alpha: int) -> lora.AdapterState:
    state = engine.new_adapter(lora.LoRAConfig(rank, alpha, first_layer=2), seed)
    generator = torch.Generator().manual_seed(seed)
    for _, B_OR in state.matrices.values():
        B_OR.normal_(generator=generator)
    return state


def test_the_distance_is_that_of_the_products(store: Store, tiny_engine: TransformersEngine) -> None:
    states = [trained(tiny_engine, 1, 2, 4), trained(tiny_engine, 2, 3, 9)]
    one = run(store, "n0", write=lambda to: lora.save(states[0], "tiny", to))
    store.add_sessions([BOAT])
    two = run(store, "n1", parent=one, write=lambda to: lora.save(states[1], "tiny", to))
    found = compare(store, store.adapter(one), store.adapter(two))
    dense = [
        {name: state.config.scale * (B @ A).double() for name, (A, B) in state.matrices.items()} for state in states
    ]
    flat = [torch.cat([each[name].flatten() for name in sorted(each)]) for each in dense]
    weights = found["weights"]
    assert weights["one"] == pytest.approx(float(flat[0].norm()), rel=1e-5)
    assert weights["difference"] == pytest.approx(float((flat[0] - flat[1]).norm()), rel=1e-5)
    assert weights["cosine"] == pytest.approx(float(torch.cosine_similarity(*flat, dim=0)), abs=1e-6)
    q = [torch.cat([each[name].flatten() for name in sorted(each) if "q_proj" in name]) for each in dense]
    assert weights["layers"]["q_proj"] == pytest.approx(float((q[0] - q[1]).norm()), rel=1e-5)

    assert found["one"]["lessons"] == {}, "the other learned it too"
    assert list(found["other"]["lessons"].values()) == ["my boat is called Ada"]
    assert found["other"]["sessions"] == [BOAT.id]
    assert found["other"]["measured"]["heldout"] == {"before": 0.1, "after": 0.9, "n": 1}
    bare = compare(store, store.adapter(one), None)
    assert bare["weights"]["difference"] == pytest.approx(float(flat[0].norm()), rel=1e-5)
    assert (bare["weights"]["cosine"], bare["other"]["hash"]) == (None, "base")
    assert compare(store, store.adapter(one), store.adapter(one))["weights"]["difference"] == pytest.approx(0, abs=1e-4)


def test_what_cannot_be_compared_is_refused(store: Store) -> None:
    one = run(store, "n0")
    other = run(store, "n1", base="another base")
    with pytest.raises(AdapterError, match="two bases"):
        compare(store, store.adapter(one), store.adapter(other))
    with pytest.raises(AdapterError, match="cannot be read"):
        compare(store, store.adapter(one), None)
