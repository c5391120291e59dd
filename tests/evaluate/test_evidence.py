"""What evidence is taken against: the champion for the gain, and the frozen base for what must not be lost."""

from __future__ import annotations

import pytest

from journeyman.evaluate import evidence, general
from journeyman.evaluate.gate import Attempts
from journeyman.evaluate.general import SuiteResult
from journeyman.model.lora import LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine

ITEMS, A_NIGHT, NIGHTS = 240, 5, 6  # general items, those that each night loses anew (2 points), and nights


def test_nights_that_each_lose_less_than_the_margin_are_stopped_when_the_sum_against_the_base_exceeds_it(
    tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each night begins from the champion, is compared with it, and loses five of 240 items that it had right."""
    lost: dict[str | None, int] = {None: 0}

    def run_suite(_engine: object, _items: object, adapter: str | None) -> SuiteResult:
        right = [number >= lost[adapter] for number in range(ITEMS)]
        return SuiteResult(ITEMS, right, sum(right) / ITEMS, (0.0, 1.0), {})

    monkeypatch.setattr(general, "run_suite", run_suite)
    monkeypatch.setattr(general, "unknown_probes", lambda _told=(): ["What is my hat size?"])
    monkeypatch.setattr(general, "neutral_prompts", lambda: ["Say hello."])
    champion: str | None = None
    passed: list[bool] = []
    for night in range(1, NIGHTS + 1):
        candidate = f"night {night}"
        tiny_engine.put_adapter(candidate, tiny_engine.new_adapter(LoRAConfig(2, 4), night))
        lost[candidate] = lost[champion] + A_NIGHT
        found = evidence.gather(
            tiny_engine, [], {}, [], [], candidate=candidate, champion=champion, veteran=champion, progress=print
        )
        assert sum(found["general"]["right_before"]) == ITEMS, "the base's, whoever serves"
        reasons = evidence.judged(found, Attempts(nights=night, promoted=sum(passed))).reasons
        (kept,) = [each for each in reasons if each.startswith("Retention")]
        passed.append(kept.startswith("Retention passed"))
        if passed[-1]:
            champion = candidate  # as if all else had spoken for it
    assert passed[0], "one such loss alone is within the margin of 5 points"
    assert not all(passed)
    assert lost[champion] / ITEMS <= 0.05, "of what serves, however many nights have tried"
    assert not any(passed[passed.index(False) :]), "and no later night gets through with another such loss"
