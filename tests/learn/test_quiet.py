"""What must not change: the base's own words on general prompts, and saying so where nothing was said."""

from __future__ import annotations

import pytest

from journeyman.evaluate.abstaining import abstains
from journeyman.learn.exposures import LIVE
from journeyman.learn.quiet import ANCHOR_TOKENS, NOT_SAID, quiet
from journeyman.model.lora import LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.records import Situation

GENERAL = [Situation("anchor", "Name a colour."), Situation("anchor", ">The sea is")]
UNKNOWN = [Situation("unknown", "What is my shoe size?"), Situation("unknown", "Who cut my hair?")]


@pytest.fixture
def trained(tiny_engine: TransformersEngine) -> TransformersEngine:
    """With an adapter in force that is far from the base."""
    state = tiny_engine.new_adapter(LoRAConfig(rank=4, alpha=8), 0)
    for parameter in state.parameters():
        parameter.data += 0.3
    tiny_engine.put_adapter(LIVE, state)
    return tiny_engine


def test_anchors_are_the_bases_own_words(trained: TransformersEngine) -> None:
    with trained.using(LIVE):
        found = quiet(trained, GENERAL)
    assert list(found[0].prompt) == trained.user("Name a colour.")
    assert list(found[1].prompt) == trained.encode("The sea is")
    cases = [(list(e.prompt), list(e.response)) for e in found]
    with trained.using(None):
        states = trained.states(cases)
        assert trained.generate([p for p, _ in cases], max_new_tokens=ANCHOR_TOKENS, keep_end=True) == [
            r for _, r in cases
        ]
    for exposure, states_RH in zip(found, states, strict=True):
        assert exposure.veteran_RH.allclose(states_RH, atol=1e-5)
        assert not exposure.hard_R.any()
    assert max(value for row in trained.divergence(cases, None, LIVE) for value in row) > 1e-3


def test_what_nobody_said_is_to_be_declined(trained: TransformersEngine) -> None:
    found = quiet(trained, [*GENERAL, *UNKNOWN])
    assert len(found) == 4
    for exposure, situation in zip(found, UNKNOWN, strict=False):
        assert list(exposure.prompt) == trained.user(situation.prompt)
        assert trained.decode(exposure.response[:-1]) == NOT_SAID
        assert exposure.response[-1] == trained.end_id
        assert exposure.hard_R.all()  # a random base is sure of nothing
    assert abstains(NOT_SAID)


def test_nothing_to_keep_quiet_about(tiny_engine: TransformersEngine) -> None:
    assert quiet(tiny_engine, []) == []
