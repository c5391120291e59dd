"""States of whole weights: the base at first, trained exactly, and a model of their own on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from journeyman.errors import AdapterError, StoreError
from journeyman.learn import LIVE, Schedule, observe, train
from journeyman.model import full, load_engine
from journeyman.model.full import FullConfig
from journeyman.model.transformers_engine import TransformersEngine

PROMPT, SHOWN, RESPONSE = [1, 2, 3], [9, 8, 7, 1, 2, 3], [4, 5, 6]


def test_a_fresh_state_is_the_base(tiny_engine: TransformersEngine) -> None:
    before = tiny_engine.score([(PROMPT, RESPONSE)])
    tiny_engine.put_adapter(LIVE, tiny_engine.new_weights())
    with tiny_engine.using(LIVE):
        assert tiny_engine.score([(PROMPT, RESPONSE)]) == before


@pytest.mark.parametrize("first_layer", [0, 2])
def test_gradients_are_those_of_plain_autograd(
    first_layer: int, tiny_engine: TransformersEngine, tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tiny_engine.new_weights(FullConfig(first_layer=first_layer))
    tiny_engine.put_adapter(LIVE, state)
    [exposure] = observe(tiny_engine, None, [(PROMPT, SHOWN, RESPONSE)])
    plain = AutoModelForCausalLM.from_pretrained(tiny_directory, dtype=torch.float32).eval()
    logq = plain(torch.tensor([[*PROMPT, *RESPONSE]])).logits[0, len(PROMPT) - 1 : -1].log_softmax(1)
    assert exposure.veteran_RH is not None
    logp = tiny_engine.logits(exposure.veteran_RH).log_softmax(1)
    (logp.exp() * (logp - logq)).sum(1).mean().backward()
    seen: dict[str, torch.Tensor] = {}
    clip = torch.nn.utils.clip_grad_norm_

    def look(parameters: Any, *rest: Any) -> torch.Tensor:
        seen.update({name: each.grad.clone() for name, each in state.weights.items() if each.grad is not None})
        return clip(parameters, *rest)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", look)
    list(train(tiny_engine, [exposure], [], Schedule(steps=1, rows=1, anchor_rows=0)))
    assert seen.keys() == state.weights.keys()
    assert len(seen) == 7 * (4 - first_layer)
    for name, gradient in seen.items():
        right = plain.get_submodule(name).weight.grad
        assert isinstance(right, torch.Tensor)
        torch.testing.assert_close(gradient, right, atol=1e-5, rtol=1e-3)


def test_the_base_stays_and_the_state_is_a_model_on_disk(tiny_engine: TransformersEngine, tmp_path: Path) -> None:
    before = tiny_engine.score([(PROMPT, RESPONSE)])
    state = tiny_engine.new_weights()
    tiny_engine.put_adapter(LIVE, state)
    rows = observe(tiny_engine, None, [(PROMPT, SHOWN, RESPONSE)])
    losses = [s.loss for s in train(tiny_engine, rows, [], Schedule(steps=30, rows=1, learning_rate=1e-3))]
    assert losses[-1] < 0.3 * losses[0]
    assert tiny_engine.score([(PROMPT, RESPONSE)]) == before
    full.save(state, tiny_engine.model, tiny_engine.tokenizer, tmp_path / "whole")
    with tiny_engine.using(LIVE):
        trained = tiny_engine.score([(PROMPT, RESPONSE)])[0]
    assert load_engine(tmp_path / "whole").score([(PROMPT, RESPONSE)])[0] == pytest.approx(trained, abs=1e-4)


def test_a_place_that_cannot_be_written_to_is_an_error(tiny_engine: TransformersEngine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="could not be written"):
        full.save(tiny_engine.new_weights(), tiny_engine.model, tiny_engine.tokenizer, tmp_path / "file")


def test_a_clone_shares_nothing(tiny_engine: TransformersEngine) -> None:
    state = tiny_engine.new_weights()
    copy = state.clone()
    next(iter(state.weights.values())).add_(1.0)
    assert not torch.equal(state.parameters()[0], copy.parameters()[0])


def test_no_such_layer(tiny_engine: TransformersEngine) -> None:
    with pytest.raises(AdapterError, match="no layer from 9"):
        tiny_engine.new_weights(FullConfig(first_layer=9))
