"""E-processes: never above 1/alpha too often, by exact enumeration, against an adversary, and by simulation."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.evaluate.eprocess import EProcess, gain, harm, log_share_above

NULLS = (-0.02, -0.2, 0.0, 0.1)
DIFFERENCES = st.lists(st.floats(-1, 1), max_size=40)


def step(process: EProcess, difference: float) -> float:
    """By how much one round multiplies the capital."""
    return math.exp(process.bet(difference).log_capital - process.log_capital)


@given(DIFFERENCES, st.sampled_from(NULLS), st.floats(0, 1), st.floats(0, 1))
def test_no_bet_is_worth_anything_under_the_null(past: list[float], null: float, down: float, up: float) -> None:
    """After any past, and for any two outcomes around a mean of `null`, the expected capital is today's."""
    process = EProcess(null).over(past)
    low, high = null - down * (null + 1), null + up * (1 - null)
    if high - low < 1e-6:
        return
    winning = (null - low) / (high - low)
    expected = winning * step(process, high) + (1 - winning) * step(process, low)
    assert expected == pytest.approx(1.0, abs=1e-9)
    assert step(process, low) <= 1 + 1e-12  # so that a lower mean can only cost


@given(DIFFERENCES, st.sampled_from(NULLS))
def test_the_stake_cannot_ruin_and_the_capital_is_the_product(past: list[float], null: float) -> None:
    process, product_of_steps = EProcess(null), 1.0
    for difference in past:
        assert 0 <= process.stake < 1 / (1 + null)
        product_of_steps *= 1 + process.stake * (difference - null)
        process = process.bet(difference)
        assert process.e > 0
    assert process.e == pytest.approx(product_of_steps)
    assert 0 < process.p <= min(1.0, 1 / process.e) + 1e-9
    assert process == EProcess(null).over(past)
    assert EProcess.from_json(json.loads(json.dumps(process.to_json()))) == process


@pytest.mark.parametrize("null", [-0.2, 0.0, 0.1])
@pytest.mark.parametrize("discordant", [0.25, 0.6, 1.0])
def test_the_chance_of_ever_showing_it_is_at_most_alpha(null: float, discordant: float) -> None:
    """Every course of 8 rounds with its probability, for differences that are independent and have the null's mean."""
    chances = {1: (discordant + null) / 2, 0: 1 - discordant, -1: (discordant - null) / 2}
    courses = [(1.0, EProcess(null))]
    for _ in range(8):
        courses = [
            (before * chance, process.bet(difference))
            for before, process in courses
            for difference, chance in chances.items()
            if chance
        ]
    assert sum(chance for chance, _ in courses) == pytest.approx(1.0)
    assert sum(chance * process.e for chance, process in courses) == pytest.approx(1.0)
    for alpha in (0.5, 0.3, 0.2, 0.1, 0.05):
        assert sum(chance for chance, process in courses if process.shown(alpha)) <= alpha + 1e-12
    assert any(process.shown(0.2) for _, process in courses)


def test_not_even_an_adversary_who_sees_the_capital_gets_above_alpha() -> None:
    """Whoever may choose each difference's distribution by the past, with a mean of at most the null: of those on -1, 0
    and 1 the best is one of the corners, nothing at all or an even chance of 1 and -1."""
    target, rounds = 0.1, 9

    def best(process: EProcess, left: int) -> float:
        if process.shown(target):
            return 1.0
        if left == 0 or process.e * 1.75**left < 1 / target:
            return 0.0
        fair = (best(process.bet(1), left - 1) + best(process.bet(-1), left - 1)) / 2
        return max(fair, best(process.bet(0), left - 1))

    assert 0 < best(gain(), rounds) <= target


@pytest.mark.parametrize("discordant", [0.1, 0.5])
def test_under_the_null_simulated_watches_keep_to_alpha(discordant: float) -> None:
    rng, watches, alarms = random.Random(7), 400, 0
    for _ in range(watches):
        course = rng.choices((1, 0, -1), (discordant, 2 - 2 * discordant, discordant), k=200)
        alarms += harm().over(course).shown(0.05)
    assert alarms / watches <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / watches)


@pytest.mark.parametrize(
    ("winning", "losing", "median"),
    # reaching 1/0.05; a fixed number of items would need 45, 184 and 33 for a power of 0.8
    [(0.25, 0.05, 60), (0.2, 0.1, 260), (0.4, 0.1, 45)],
)
def test_a_real_gain_is_shown_soon(winning: float, losing: float, median: int) -> None:
    rng, needed = random.Random(3), []
    for _ in range(101):
        process = gain()
        while not process.shown(0.05) and process.n < 1000:
            process = process.bet(rng.choices((1, 0, -1), (winning, 1 - winning - losing, losing))[0])
        needed.append(process.n)
    assert sorted(needed)[50] <= median


def test_harm_is_a_loss_of_the_candidate_beyond_what_is_tolerated() -> None:
    assert harm().over([1, 1, 0, 1, 1, 1, 1, 1, 1]).shown(0.05)  # the reference did better each time
    assert not harm().over([-1] * 50).shown(0.5)
    little = [1, *[0] * 9] * 20  # a loss of 10 points
    assert harm().over(little).e > 1000 > 1 > harm(0.15).over(little).e
    assert gain(-0.05).over([0] * 120).shown(0.05)  # no loss of 5 points or more: non-inferiority


def test_a_session_is_one_round() -> None:
    sessions = [i // 10 for i in range(40)]
    alike = [1.0] * 10 + [-1.0] * 10 + [1.0] * 20
    assert gain().over(alike, sessions) == gain().over([1, -1, 1, 1])
    # Ten answers that rise and fall together, without a gain: as items they would often look like one.
    rng, bold, careful = random.Random(1), 0, 0
    for _ in range(200):
        course = [value for _ in range(30) for value in [rng.choice((1, -1))] * 10]
        bold += gain().over(course).shown(0.05)
        careful += gain().over(course, [i // 10 for i in range(300)]).shown(0.05)
    assert bold > 0.2 * 200
    assert careful <= 0.08 * 200


def test_what_it_does_not_take() -> None:
    for bad in (1.5, -2, math.nan):
        with pytest.raises(ValueError, match="between -1 and 1"):
            gain().bet(bad)
    with pytest.raises(ValueError, match="null hypothesis"):
        EProcess(1.0)
    assert gain().p == gain().e == 1.0


def above(hits: int, n: int, null: float) -> float:
    return math.exp(log_share_above(hits, n, null))


@given(st.integers(0, 200), st.data(), st.floats(0.05, 0.95))
def test_a_bet_on_a_larger_share_is_fair_at_the_null(n: int, data: st.DataObject, null: float) -> None:
    hits = data.draw(st.integers(0, n))
    later = null * above(hits + 1, n + 1, null) + (1 - null) * above(hits, n + 1, null)
    assert later == pytest.approx(above(hits, n, null), rel=1e-6)
    assert above(hits + 1, n + 1, null) >= above(hits, n + 1, null), "so that a smaller chance can only cost"
    assert above(0, 0, null) == pytest.approx(1.0)


@pytest.mark.parametrize(("hits", "n", "null"), [(7, 7, 0.5), (3, 9, 0.5), (40, 41, 0.9), (0, 5, 0.2)])
def test_it_is_the_mean_likelihood_ratio_over_all_larger_shares(hits: int, n: int, null: float) -> None:
    steps = 20_000
    shares = [null + (1 - null) * (step + 0.5) / steps for step in range(steps)]
    ratios = [(q / null) ** hits * ((1 - q) / (1 - null)) ** (n - hits) for q in shares]
    assert above(hits, n, null) == pytest.approx(math.fsum(ratios) / steps, rel=1e-4)


@pytest.mark.parametrize("null", [0.5, 0.9])
def test_looking_after_each_mark_shows_a_larger_share_to_be_one_too_seldom_to_matter(null: float) -> None:
    rng, shown, runs = random.Random(1), 0, 400
    for _ in range(runs):
        hits = 0
        for n in range(1, 150):
            hits += rng.random() < null
            if above(hits, n, null) >= 20:
                shown += 1
                break
    assert shown <= 0.05 * runs
    assert above(7, 7, 0.5) >= 20 > above(6, 6, 0.5), "and a plain harm is soon found"


@pytest.mark.parametrize(("hits", "n", "null"), [(1, 0, 0.5), (-1, 3, 0.5), (1, 2, 0.0), (1, 2, 1.0)])
def test_what_is_no_share_is_refused(hits: int, n: int, null: float) -> None:
    with pytest.raises(ValueError, match="no share"):
        log_share_above(hits, n, null)
