"""Exposures on a tiny model: what the teacher is asked, and when its answer or the token itself is the target."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from random_cases import SYSTEM, cases, start

from journeyman.learn import exposures
from journeyman.learn.exposures import LIVE, Exposure, disagreement, observe, proven, verbatim
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


def test_disagreement_is_the_divergence_token_by_token(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine, trained=True)
    prompt, _, response = cases()[0]
    rows = disagreement(tiny_engine, None, LIVE, (prompt, prompt, response))
    right = tiny_engine.divergence([(prompt, response)], None, LIVE)[0]
    assert [row["kl"] for row in rows] == pytest.approx(right, rel=1e-3, abs=1e-6)
    assert [row["text"] for row in rows] == [tiny_engine.decode([token]) for token in response]


R2 = torch.ones(2, dtype=torch.bool)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (((), (1, 2), None, R2), "at least one token"),
        (((1,), (), None, R2[:0]), "at least one token"),
        (((1,), (-100, 2), None, R2), "no -100"),
        (((1,), (1, 2), None, R2[:1]), "hard_R has 1 rows"),
        (((1,), (1, 2), torch.zeros(3, 4), R2), "veteran_RH has 3 rows"),
        (((1,), (1, 2), None, R2, torch.ones(1)), "weight_R has 1 rows"),
        (((1,), (1, 2), None, ~R2), "without a teacher"),
    ],
)
def test_what_is_no_exposure_is_refused(fields: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Exposure(*fields)


def test_nobody_hears_an_exposure_without_a_teacher(tiny_engine: TransformersEngine) -> None:
    with pytest.raises(ValueError, match="observe it first"):
        proven(tiny_engine, [verbatim(tiny_engine, [1], [2])])


def test_a_verbatim_response_asks_no_teacher(tiny_engine: TransformersEngine) -> None:
    exposure = verbatim(tiny_engine, [1, 2], [3, 4, 5])
    assert (exposure.prompt, exposure.response, exposure.sequence) == ((1, 2), (3, 4, 5), (1, 2, 3, 4))
    assert exposure.hard_R.tolist() == [True] * 3
    assert exposure.veteran_RH is exposure.weight_R is exposure.then_R is None
