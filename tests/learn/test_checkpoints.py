"""A run that was stopped goes on as if it had not been; another run's state is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from random_cases import CONFIG, anchors_of, bits, cases, same, start

from journeyman.errors import TrainingError
from journeyman.learn.exposures import LIVE, Exposure, observe
from journeyman.learn.opsd import roll_out
from journeyman.learn.trainer import Objective, Schedule, Trainer
from journeyman.model import load_engine
from journeyman.model.lora import AdapterState, LoRAConfig, save
from journeyman.model.transformers_engine import TransformersEngine


@pytest.mark.parametrize("first_layer", [0, 2])
@pytest.mark.parametrize("stopped_after", [1, 4])
def test_a_run_that_goes_on_ends_in_the_same_bits(first_layer: int, stopped_after: int, tiny_directory: Path) -> None:
    config, schedule = LoRAConfig(rank=4, alpha=8, first_layer=first_layer), Schedule(steps=6, rows=5, anchor_rows=2)

    def trainer() -> tuple[Trainer, AdapterState]:
        engine = load_engine(tiny_directory)
        state = start(engine, config)

        def fresh(step: int) -> list[Exposure]:
            prompts = [(prompt, shown) for prompt, shown, _ in cases(step, 2)]
            return roll_out(engine, None, prompts, max_new_tokens=5, seed=step)

        return Trainer(engine, observe(engine, None, cases()), anchors_of(engine), schedule, fresh), state

    whole, right = trainer()
    expected = list(whole)
    first, _ = trainer()
    steps = iter(first)
    seen = [next(steps) for _ in range(stopped_after)]
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    next(steps)  # what happens after a checkpoint does not reach into it
    second, found = trainer()
    second.load_state_dict(torch.load(file))
    assert [*seen, *second] == expected
    assert same(bits(found), bits(right))


def test_a_checkpoint_of_another_shape_is_refused(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    held = anchors_of(tiny_engine)
    saved = Trainer(tiny_engine, [], held, Schedule(steps=1)).state_dict()
    start(tiny_engine, LoRAConfig(rank=2, alpha=4))
    other = Trainer(tiny_engine, [], held, Schedule(steps=1))
    with pytest.raises(TrainingError, match="other layers"):
        other.load_state_dict(saved)
    assert other.done == 0


def test_a_checkpoint_of_another_run_is_refused(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    held = anchors_of(tiny_engine)
    saved = Trainer(tiny_engine, [], held, Schedule(steps=1)).state_dict()
    for other in (
        Trainer(tiny_engine, [], held[1:], Schedule(steps=1)),
        Trainer(tiny_engine, [], held, Schedule(steps=2)),
        Trainer(tiny_engine, [], held, Schedule(steps=1), objective=Objective(cap=1.0)),
    ):
        with pytest.raises(TrainingError, match=r"other (items|schedule|objective)"):
            other.load_state_dict(saved)
    mine = Trainer(tiny_engine, [], held, Schedule(steps=1))
    mine.load_state_dict(saved)
    for other in (saved["optimizer"], {}):  # no checkpoint at all
        with pytest.raises(TrainingError, match="other model, scale, layers"):
            mine.load_state_dict(other)
    start(tiny_engine, LoRAConfig(rank=4, alpha=9))  # the same matrices, and yet another adapter
    with pytest.raises(TrainingError, match="other scale"):
        Trainer(tiny_engine, [], held, Schedule(steps=1)).load_state_dict(saved)


def test_a_checkpoint_over_another_base_is_refused(
    tiny_engine: TransformersEngine, make_tiny: Callable[..., Path], tmp_path: Path
) -> None:
    start(tiny_engine)
    saved = Trainer(tiny_engine, [], anchors_of(tiny_engine), Schedule(steps=1)).state_dict()
    other = load_engine(make_tiny("llama", tmp_path, seed=5))
    start(other)
    with pytest.raises(TrainingError, match=r"other model$"):
        Trainer(other, [], anchors_of(other), Schedule(steps=1)).load_state_dict(saved)


def test_a_checkpoint_finds_its_layers_in_a_state_that_was_loaded(tiny_directory: Path, tmp_path: Path) -> None:
    """A file has them in the order of their names, in which layer 10 comes before layer 2."""
    runs = []
    for loaded in (False, True):
        engine = load_engine(tiny_directory)
        state = start(engine, trained=True)
        if loaded:
            save(state, "base", tmp_path)
            engine.load_adapter(tmp_path, LIVE)
            matrices = engine.adapter(LIVE).matrices
            engine.put_adapter(LIVE, AdapterState(dict(sorted(matrices.items(), reverse=True)), CONFIG))
        trainer = Trainer(engine, observe(engine, None, cases()), [], Schedule(steps=4, rows=4, anchor_rows=0))
        if loaded:
            trainer.load_state_dict(runs[0][0])
            list(trainer)
            assert all(torch.equal(m, runs[0][1][n]) for n, m in engine.adapter(LIVE).named_parameters().items())
        else:
            steps = iter(trainer)
            next(steps)
            saved = trainer.state_dict()
            list(steps)
            runs.append((saved, state.clone().named_parameters()))
