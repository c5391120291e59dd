"""Nights on a tiny model that are over in a second or two: the phases are under test, not how much they measure.

Not a test: a night's cost is what it asks (the general suite, the probes, the near misses), and a tiny random model
never ends its replies by itself. How well that is measured is tested where it is measured.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import pytest

from journeyman import night_phases
from journeyman.dream import situations
from journeyman.dream.near_misses import near_misses
from journeyman.evaluate import evidence, general
from journeyman.evaluate.gate import Verdict

sys.path.insert(0, str(Path(__file__).parent.parent / "bench" / "ten_nights"))
from killing import Progress, killed_in

__all__ = ["Progress", "killed_in", "pass_all", "shorten"]


def shorten(patch: pytest.MonkeyPatch) -> None:
    """A few of all that a night asks."""
    items, probes, neutral = general.general_suite()[::48], general.unknown_probes()[:4], general.neutral_prompts()[:4]
    anchors = situations.anchors()[:6]
    patch.setattr(general, "general_suite", lambda: items)
    patch.setattr(general, "unknown_probes", lambda _told=(): probes)
    patch.setattr(general, "neutral_prompts", lambda: neutral)
    patch.setattr(situations, "anchors", lambda: anchors)
    patch.setattr(night_phases, "near_misses", functools.partial(near_misses, count=6))


def pass_all(patch: pytest.MonkeyPatch) -> None:
    """A gate that lets all pass: how one is judged is tested elsewhere."""
    patch.setattr(evidence, "judged", lambda _found, _attempts: Verdict("PROMOTE", ["for this test"]))
