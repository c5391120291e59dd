"""Repeating transcripts and the veteran's own words."""

from __future__ import annotations

import torch
from random_cases import cases, start

from journeyman.learn.exposures import LIVE
from journeyman.learn.sft import replay, veteran_samples
from journeyman.learn.trainer import Schedule, train
from journeyman.model.transformers_engine import TransformersEngine


def test_a_transcript_becomes_likely(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    pairs = [(prompt, response) for prompt, _, response in cases(count=2)]
    rows = replay(tiny_engine, pairs)
    before = sum(map(sum, tiny_engine.score(pairs)))
    list(train(tiny_engine, rows, [], Schedule(steps=30, rows=2, learning_rate=1e-2)))
    with tiny_engine.using(LIVE):
        assert sum(map(sum, tiny_engine.score(pairs))) > 0.3 * before


def test_the_veterans_words_are_said_with_the_lesson_and_taught_without_it(tiny_engine: TransformersEngine) -> None:
    state = start(tiny_engine, trained=True)
    tiny_engine.put_adapter("veteran", state.clone())
    prompts = [(prompt, shown) for prompt, shown, _ in cases()]
    with tiny_engine.using("veteran"):
        shown = [shown for _, shown in prompts]
        wanted = tiny_engine.generate(shown, max_new_tokens=6, temperature=1.0, seed=3, keep_end=True)
        states = tiny_engine.states([(shown, said) for (_, shown), said in zip(prompts, wanted, strict=True)])
    hard = veteran_samples(tiny_engine, "veteran", prompts, max_new_tokens=6, seed=3)
    soft = veteran_samples(tiny_engine, "veteran", prompts, max_new_tokens=6, seed=3, soft=True)
    for one, other, (prompt, _), response, states_RH in zip(hard, soft, prompts, wanted, states, strict=True):
        assert one.prompt == other.prompt == tuple(prompt)
        assert one.response == other.response == tuple(response)
        assert one.hard_R.all()
        assert one.veteran_RH is None
        assert not other.hard_R.any()
        assert other.veteran_RH is not None
        assert torch.equal(other.veteran_RH, states_RH)
    cold = veteran_samples(tiny_engine, "veteran", prompts, max_new_tokens=6, seed=3, temperature=0.0)
    with tiny_engine.using("veteran"):
        greedy = tiny_engine.generate([shown for _, shown in prompts], max_new_tokens=6, keep_end=True)
    assert [list(each.response) for each in cold] == greedy
