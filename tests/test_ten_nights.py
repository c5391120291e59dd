"""Ten nights in a row on a tiny random model: what goes wrong can be put right, and nothing is lost or mixed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from short_nights import pass_all, shorten

from journeyman.model import load_engine
from journeyman.night import NightOptions
from journeyman.store import open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "bench" / "ten_nights"))
from story import PHASES, Story, Told

SMALL = NightOptions(facts=24, wordings=3, heldout=0.5, steps=3, rows=4, anchor_rows=2, rank=2)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory, tiny_directory: Path) -> list[Told]:
    with pytest.MonkeyPatch.context() as patch, open_store(tmp_path_factory.mktemp("ten") / "ten.db") as store:
        shorten(patch)
        pass_all(patch)
        engine = load_engine(str(tiny_directory), threads=1)
        return list(Story(store, engine, SMALL, learns=False).told())


def test_every_claim_holds_that_does_not_need_learning(nights: list[Told]) -> None:
    failed = [(told.number, claim.text, claim.seen) for told in nights for claim in told.claims if not claim.holds]
    assert not failed


def test_each_night_claims_something(nights: list[Told]) -> None:
    assert [told.number for told in nights] == list(range(1, 11))
    assert all(told.claims and told.title and told.what for told in nights)
    assert [told.number for told in nights if not told.verdict] == [6, 8, 9]


def test_a_night_was_killed_in_every_phase(nights: list[Told]) -> None:
    killed = [claim for claim in nights[2].claims if claim.text.startswith("It was killed")]
    assert len(killed) == len(PHASES)
