"""Exposures on a tiny model: what the teacher is asked, and when its answer or the token itself is the target."""

from __future__ import annotations

import math

import pytest
import torch
from random_cases import SYSTEM, cases, start

from journeyman.learn import exposures
from journeyman.learn.exposures import LIVE, disagreement, observe, proven, roll_out, said
from journeyman.model.transformers_engine import TransformersEngine


def test_observing_is_asking_the_teacher_with_the_lesson(tiny_engine: TransformersEngine) -> None:
    state = start(tiny_engine, trained=True)
    tiny_engine.put_adapter("veteran", state)
    given = cases()
    rows = observe(tiny_engine, "veteran", given)
    with tiny_engine.using("veteran"):
        expected = tiny_engine.states([(shown, response) for _, shown, response in given])
    for row, (prompt, _, response), states in zip(rows, given, expected, strict=True):
        assert (row.prompt, row.response) == (tuple(prompt), tuple(response))
        assert torch.equal(row.veteran_RH, states)
        assert not row.hard_R.any()
        assert row.sequence == (*prompt, *response[:-1])


def test_a_proven_response_is_the_target_where_the_teacher_is_not_sure_of_it(
    tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, shown, _ = cases()[0]
    said = tiny_engine.generate([shown], max_new_tokens=4)[0]
    shares = [math.exp(value) for value in tiny_engine.score([(shown, said)])[0]]
    given = observe(tiny_engine, None, [(SYSTEM, shown, said)])
    [row], [(logp_R, likeliest_R)] = proven(tiny_engine, given)
    assert logp_R.exp().tolist() == pytest.approx(shares, rel=1e-4)
    assert likeliest_R.all()  # they are its own greedy words
    assert row.hard_R.tolist() == [share < exposures.SURE for share in shares]
    low, high = sorted(shares)[1:3]
    monkeypatch.setattr(exposures, "SURE", (low + high) / 2)
    [row], _ = proven(tiny_engine, given)
    assert row.hard_R.tolist() == [share < (low + high) / 2 for share in shares]
    assert row.hard_R.sum() == 2
    monkeypatch.setattr(exposures, "SURE", 0.0)
    [row], _ = proven(tiny_engine, given)
    assert not row.hard_R.any()


def test_roll_outs_are_what_the_student_says_and_the_teacher_thinks(tiny_engine: TransformersEngine) -> None:
    state = start(tiny_engine, trained=True)
    tiny_engine.put_adapter("veteran", state.clone())
    prompts = [(prompt, shown) for prompt, shown, _ in cases()]
    found = roll_out(tiny_engine, "veteran", prompts, max_new_tokens=6, seed=4)
    assert [e.response for e in found] == [
        e.response for e in roll_out(tiny_engine, "veteran", prompts, max_new_tokens=6, seed=4)
    ]
    with tiny_engine.using(LIVE):
        said = tiny_engine.generate([p for p, _ in prompts], max_new_tokens=6, temperature=1.0, seed=4)
    for exposure, reply, (prompt, _) in zip(found, said, prompts, strict=True):
        assert exposure.prompt == tuple(prompt)
        assert list(exposure.response) == (reply if len(reply) == 6 else [*reply, tiny_engine.end_id])
        assert len(exposure.veteran_RH) == len(exposure.hard_R) == len(exposure.response)
        assert not exposure.hard_R.any()


def test_disagreement_is_the_divergence_token_by_token(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine, trained=True)
    prompt, _, response = cases()[0]
    rows = disagreement(tiny_engine, None, LIVE, (prompt, prompt, response))
    right = tiny_engine.divergence([(prompt, response)], None, LIVE)[0]
    assert [row["kl"] for row in rows] == pytest.approx(right, rel=1e-3, abs=1e-6)
    assert [row["text"] for row in rows] == [tiny_engine.decode([token]) for token in response]


def test_a_reply_that_was_cut_has_no_end(tiny_engine: TransformersEngine) -> None:
    assert said(tiny_engine, [5, 6], 3) == [5, 6, tiny_engine.end_id]
    assert said(tiny_engine, [5, 6, 7], 3) == [5, 6, 7]
