"""Rollouts: what the student says, and what the veteran thinks of it."""

from __future__ import annotations

from random_cases import cases, start

from journeyman.learn.exposures import LIVE
from journeyman.learn.opsd import roll_out
from journeyman.model.transformers_engine import TransformersEngine


def test_roll_outs_are_what_the_student_says_and_the_teacher_thinks(tiny_engine: TransformersEngine) -> None:
    state = start(tiny_engine, trained=True)
    tiny_engine.put_adapter("veteran", state.clone())
    prompts = [(prompt, shown) for prompt, shown, _ in cases()]
    found = roll_out(tiny_engine, "veteran", prompts, max_new_tokens=6, seed=4)
    assert [e.response for e in found] == [
        e.response for e in roll_out(tiny_engine, "veteran", prompts, max_new_tokens=6, seed=4)
    ]
    with tiny_engine.using(LIVE):
        said = tiny_engine.generate([p for p, _ in prompts], max_new_tokens=6, temperature=1.0, seed=4, keep_end=True)
    for exposure, reply, (prompt, _) in zip(found, said, prompts, strict=True):
        assert exposure.prompt == tuple(prompt)
        assert list(exposure.response) == reply
        assert exposure.sampled
        assert len(exposure.veteran_RH) == len(exposure.hard_R) == len(exposure.response)
        assert not exposure.hard_R.any()
