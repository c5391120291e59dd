"""Rollouts: what the student says, and what the veteran thinks of it."""

from __future__ import annotations

import pytest
import torch
from random_cases import cases, start

from journeyman.errors import TrainingError
from journeyman.learn.exposures import LIVE
from journeyman.learn.grpo import roll_out as roll_out_for_rewards
from journeyman.learn.opsd import forks, roll_out
from journeyman.learn.sft import veteran_samples
from journeyman.model.transformers_engine import TransformersEngine


def test_roll_outs_are_what_the_student_says_and_the_teacher_thinks(tiny_engine: TransformersEngine) -> None:
    tiny_engine.put_adapter("veteran", start(tiny_engine, seed=2, trained=True))
    start(tiny_engine, trained=True)
    prompts = [(prompt, shown) for prompt, shown, _ in cases()]
    found = roll_out(tiny_engine, "veteran", prompts, max_new_tokens=6, seed=4)
    assert [e.response for e in found] == [
        e.response for e in roll_out(tiny_engine, "veteran", prompts, max_new_tokens=6, seed=4)
    ]
    with tiny_engine.using(LIVE):
        said = tiny_engine.generate([p for p, _ in prompts], max_new_tokens=6, temperature=1.0, seed=4, keep_end=True)
    with tiny_engine.using("veteran"):  # with the lesson, whatever the student has become
        heard = tiny_engine.states([(shown, reply) for (_, shown), reply in zip(prompts, said, strict=True)])
    for exposure, reply, (prompt, _), states_RH in zip(found, said, prompts, heard, strict=True):
        assert exposure.prompt == tuple(prompt)
        assert list(exposure.response) == reply
        assert exposure.sampled
        assert exposure.veteran_RH is not None
        assert torch.equal(exposure.veteran_RH, states_RH)
        assert not exposure.hard_R.any()


def test_they_are_as_warm_as_is_asked(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine, trained=True)
    prompts = [(prompt, shown) for prompt, shown, _ in cases()]
    with tiny_engine.using(LIVE):
        greedy = tiny_engine.generate([prompt for prompt, _ in prompts], max_new_tokens=6, keep_end=True)
    found = roll_out(tiny_engine, None, prompts, max_new_tokens=6, seed=4, temperature=0.0)
    assert [list(each.response) for each in found] == greedy


@pytest.mark.parametrize(("tokens", "most"), [(4, 0), (1024, 5)])
def test_a_prompt_without_room_for_a_reply_is_an_error(tokens: int, most: int, tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    prompt = [1] * tokens
    for ask in (
        lambda: roll_out(tiny_engine, None, [(prompt, prompt)], max_new_tokens=most, seed=0),
        lambda: veteran_samples(tiny_engine, None, [(prompt, prompt)], max_new_tokens=most, seed=0),
        lambda: roll_out_for_rewards(tiny_engine, [prompt], lambda *_: 1.0, group=2, max_new_tokens=most, seed=0),
    ):
        with pytest.raises(TrainingError, match=f"prompt of {tokens} tokens leaves no room"):
            ask()


def test_a_fork_is_where_the_student_would_first_say_something_else(tiny_engine: TransformersEngine) -> None:
    tiny_engine.put_adapter("veteran", start(tiny_engine, seed=2, trained=True))
    start(tiny_engine, trained=True)
    prompt, shown, _ = cases()[0]
    for student in (None, LIVE):
        with tiny_engine.using(student):
            (said,) = tiny_engine.generate([prompt], max_new_tokens=6)
        for place in range(len(said)):
            other = [*said[:place], (said[place] + 1) % 50, 3, 4]
            with tiny_engine.using("veteran"):
                (logits_RV,) = (tiny_engine.logits(each) for each in tiny_engine.states([(shown, other)]))
            expected = float(logits_RV.softmax(1)[place, other[place]])
            (found,) = forks(tiny_engine, "veteran", [(prompt, shown, other)], student)
            assert found == pytest.approx(expected, rel=1e-4)
        both = forks(tiny_engine, "veteran", [(prompt, shown, said), (prompt, shown, other)], student)
        assert both == [None, pytest.approx(expected, rel=1e-4)]
    assert forks(tiny_engine, None, []) == []
