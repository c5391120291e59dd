"""Verdicts: what passes, what fails, and what is left open; the gate's own error rates."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from journeyman.evaluate.gate import Attempts, Evidence, Limits, Verdict, judge
from journeyman.evaluate.general import Drift
from journeyman.evaluate.statistics import PairedDifference, paired_difference

CRITERIA = ("Health", "Gain", "Retention", "Confident nonsense", "Drift")


def paired(wins: int, losses: int, n: int, clusters: list[int] | None = None) -> PairedDifference:
    before = [0] * wins + [1] * losses + [0] * (n - wins - losses)
    after = [1] * wins + [0] * losses + [0] * (n - wins - losses)
    return paired_difference(before, after, clusters)


GOOD = Evidence(
    gain=paired(12, 1, 40),
    general=paired(6, 7, 240),
    probes=paired(1, 3, 40),
    drift=Drift(0.1, 0.8),
    health={"loads": True, "finite": True},
)


def reason(verdict: Verdict, criterion: str) -> str:
    return next(text for text in verdict.reasons if text.startswith(criterion))


def test_a_good_candidate_is_promoted_and_every_criterion_says_why() -> None:
    verdict = judge(GOOD)
    assert verdict.verdict == "PROMOTE"
    assert all(" passed: " in reason(verdict, criterion) for criterion in CRITERIA)
    assert all(text.endswith(".") for text in verdict.reasons)
    assert "+27.5 points" in reason(verdict, "Gain")
    assert verdict.to_json() == {"verdict": "PROMOTE", "reasons": verdict.reasons}


@pytest.mark.parametrize(
    ("change", "verdict", "said"),
    [
        ({"health": {"loads": True, "finite": False}}, "REJECT", "Health failed: finite."),
        ({"health": {}}, "INSUFFICIENT", "Health is open"),
        ({"gain": paired(10, 8, 40)}, "REJECT", "Gain failed"),
        ({"gain": paired(1, 12, 40)}, "REJECT", "The candidate is worse"),
        ({"gain": paired(6, 0, 40)}, "INSUFFICIENT", "7 lessons must differ"),
        ({"gain": paired(9, 0, 11)}, "INSUFFICIENT", "At least 12 situations"),
        ({"gain": paired(0, 0, 40)}, "INSUFFICIENT", "Gain is open"),
        ({"gain": paired(8, 0, 400)}, "REJECT", "at least +3.0 points"),
        ({"gain_over_base": paired(2, 0, 40)}, "INSUFFICIENT", "the base"),
        ({"general": paired(2, 16, 240)}, "REJECT", "beyond the margin"),
        ({"general": paired(20, 28, 240)}, "REJECT", "Retention failed"),
        ({"general": paired(2, 3, 40)}, "INSUFFICIENT", "About 150 items"),
        ({"general": paired(0, 0, 0)}, "INSUFFICIENT", "none was asked"),
        ({"earlier": paired(2, 30, 240)}, "REJECT", "Earlier lessons failed"),
        ({"earlier": paired(20, 38, 240)}, "REJECT", "It must be at most 0.0500"),
        ({"earlier": paired(2, 3, 40)}, "INSUFFICIENT", "Earlier lessons is open"),
        ({"earlier": paired(2, 3, 40), "all_earlier": True}, "PROMOTE", "there are no more of them"),
        ({"earlier": paired(0, 6, 40), "all_earlier": True}, "REJECT", "beyond the margin"),
        ({"earlier": paired(0, 3, 20), "all_earlier": True}, "INSUFFICIENT", "Earlier lessons is open"),
        ({"earlier": paired(0, 0, 0)}, "INSUFFICIENT", "none was asked"),
        ({"earlier": paired(6, 7, 240)}, "PROMOTE", "Earlier lessons passed"),
        ({"probes": paired(8, 1, 40)}, "REJECT", "Confident nonsense failed"),
        ({"probes": paired(5, 2, 40)}, "INSUFFICIENT", "Confident nonsense is open"),
        ({"probes": paired(0, 0, 0)}, "INSUFFICIENT", "no probe"),
        ({"drift": Drift(0.6, 0.2)}, "REJECT", "Drift failed"),
        ({"drift": Drift(float("nan"), 0.2)}, "REJECT", "Drift failed"),
    ],
)
def test_one_criterion_decides(change: dict[str, object], verdict: str, said: str) -> None:
    found = judge(replace(GOOD, **change))  # type: ignore[arg-type]
    assert found.verdict == verdict
    assert said in " ".join(found.reasons)
    assert all(reason(found, criterion) for criterion in CRITERIA)


def test_tasks_and_situations_show_a_gain_together_and_neither_pays_for_the_other() -> None:
    situations, tasks = paired(0, 0, 24), paired(12, 1, 24)
    both = {"situations": situations, "tasks": tasks}
    found = judge(replace(GOOD, gain=paired(12, 1, 48), work=both))
    assert found.verdict == "PROMOTE"
    assert "48 held-out situations and tasks" in reason(found, "Gain")
    assert "lessons and sessions" in reason(found, "Gain")
    assert "Held-out tasks passed" in " ".join(found.reasons)
    lost = judge(replace(GOOD, gain=paired(30, 9, 80), work={**both, "situations": paired(0, 8, 24)}))
    assert lost.verdict == "REJECT"
    assert "Held-out situations failed" in " ".join(lost.reasons)


def test_tasks_alone_may_show_a_gain() -> None:
    found = judge(replace(GOOD, work={"situations": paired(0, 0, 0), "tasks": GOOD.gain}))
    assert found.verdict == "PROMOTE"
    assert "40 held-out tasks" in reason(found, "Gain")
    assert "12 sessions are better" in reason(found, "Gain")


def test_shown_harm_rejects_even_when_the_gain_is_open() -> None:
    found = judge(replace(GOOD, gain=paired(1, 0, 5), general=paired(0, 60, 240)))
    assert found.verdict == "REJECT"
    assert "Gain is open" in reason(found, "Gain")


def test_later_attempts_must_show_more() -> None:
    evidence = replace(GOOD, gain=paired(9, 1, 40))
    assert judge(evidence).verdict == "PROMOTE"
    assert judge(evidence, Attempts(here=2, nights=2)).verdict == "REJECT"
    assert judge(replace(GOOD, gain=paired(7, 0, 40)), Attempts(3, 3)).verdict == "INSUFFICIENT"


def test_a_promotion_earns_back_what_nights_have_spent() -> None:
    evidence = replace(GOOD, gain=paired(9, 0, 40), general=paired(60, 70, 2400))
    assert judge(evidence, Attempts(nights=5)).verdict == "INSUFFICIENT"
    assert judge(evidence, Attempts(nights=5, promoted=4)).verdict == "PROMOTE"
    assert judge(evidence, Attempts(here=5, nights=5, promoted=4)).verdict == "INSUFFICIENT"  # but not on these items


def test_what_all_attempts_may_spend_is_alpha() -> None:
    assert sum(Attempts(here=k, nights=k).share_of_gain() for k in range(1, 2000)) == pytest.approx(1.0, abs=1e-3)
    assert Attempts(nights=30, promoted=29).share_of_gain() == pytest.approx(Attempts().share_of_gain() / 30)
    for here, nights, promoted in ((0, 1, 0), (1, 0, 0), (1, 1, 1), (1, 3, -1)):
        with pytest.raises(ValueError, match="attempt"):
            Attempts(here, nights, promoted)


def test_of_what_is_promoted_over_months_the_share_without_a_gain_is_within_alpha() -> None:
    """Thirty nights, half of them with no gain and p uniform, the rest with one: LOND's promise, by simulation."""
    rng, alpha, months, wasted = random.Random(9), 0.2, 400, 0.0
    for _ in range(months):
        promoted = false = 0
        for night in range(1, 31):
            gained = rng.random() < 0.5
            p = rng.random() ** 8 if gained else rng.random()
            if p <= alpha * Attempts(nights=night, promoted=promoted).share_of_gain():
                promoted, false = promoted + 1, false + (not gained)
        wasted += false / max(1, promoted)
    assert wasted / months <= alpha


def test_each_promotion_on_the_same_items_asks_more_of_retention() -> None:
    evidence = replace(GOOD, gain=paired(20, 0, 40))
    assert judge(evidence, Attempts(nights=30)).verdict == "PROMOTE"  # those that were not promoted leave nothing
    later = judge(evidence, Attempts(nights=11, promoted=10))
    assert later.verdict == "INSUFFICIENT"
    assert "so far 10" in reason(later, "Retention")
    many = replace(evidence, general=paired(60, 70, 2400))
    assert judge(many, Attempts(nights=11, promoted=10)).verdict == "PROMOTE"
    assert 1 < sum(Attempts(nights=n + 1, promoted=n).share_of_loss() for n in range(1000)) < 1.65


def test_small_losses_cannot_add_up() -> None:
    """Nights that lose 2 points each: next to the last champion none of them would show, next to the base they do."""
    base = [1] * 200 + [0] * 40
    serving = list(base)
    lost = []
    for night in range(1, 13):
        candidate = list(serving)
        for item in range(5):
            candidate[5 * night + item] = 0
        small, whole = paired_difference(serving, candidate), paired_difference(base, candidate)
        assert judge(replace(GOOD, general=small)).verdict == "PROMOTE"
        if judge(replace(GOOD, general=whole)).verdict == "PROMOTE":
            serving = candidate
        lost.append(-paired_difference(base, serving).difference)
    assert 0 < lost[-1] < 0.05


def test_many_questions_on_one_lesson_are_one_observation() -> None:
    one_lesson = paired(20, 0, 40, clusters=[0] * 20 + list(range(1, 21)))
    assert judge(replace(GOOD, gain=one_lesson)).verdict == "INSUFFICIENT"


def test_limits_can_be_set() -> None:
    assert judge(GOOD, limits=Limits(drift_nats=0.05)).verdict == "REJECT"


def test_error_rates() -> None:
    """A candidate that differs by chance is hardly ever promoted, a good one mostly, a harmful one never."""
    rng = random.Random(4)

    def draw(n: int, winning: float, losing: float) -> PairedDifference:
        steps = rng.choices((1, -1, 0), (winning, losing, 1 - winning - losing), k=n)
        return paired_difference([int(step < 0) for step in steps], [int(step > 0) for step in steps])

    def rate(gain: tuple[float, float], general: tuple[float, float], runs: int) -> float:
        promoted = 0
        for _ in range(runs):
            evidence = replace(GOOD, gain=draw(60, *gain), general=draw(240, *general))
            promoted += judge(evidence).verdict == "PROMOTE"
        return promoted / runs

    assert rate((0.15, 0.15), (0.02, 0.02), 80) <= 0.025
    assert rate((0.35, 0.03), (0.02, 0.02), 40) >= 0.8
    assert rate((0.35, 0.03), (0.02, 0.12), 40) <= 0.05
