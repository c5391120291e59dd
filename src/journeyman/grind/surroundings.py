"""What a process is surrounded by: hash seed, clock, time zone, locale, and a chance that repeats.

Always holds: what is not named is as in the reference (hash seed 0, the real clock, UTC, the locale C.UTF-8), so that
two runs differ by what their names say and by nothing else that can be set from here.

Knows how to say it to a process; `inputs.py` does what a process must do to itself.
"""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

LATER = 400 * 86_400.0  # far enough for another year, another month and another weekday
ELSEWHERE = "XYZ-13:45"  # 13 hours and 45 minutes east of UTC, in POSIX's own form: no time zone data is needed


@dataclass(frozen=True)
class Surroundings:
    """`shift` is in seconds; `locale` "" is C.UTF-8. `seeded` and `frozen` take chance and time away from a program;
    `watched` notes which of its lines ask for either."""

    hash_seed: int = 0
    shift: float = 0.0
    zone: str = "UTC0"
    locale: str = ""
    seeded: bool = False
    frozen: bool = False
    watched: bool = False
    late: bool = False  # the clock is shifted only when the environment has been imported

    def variables(self) -> dict[str, str]:
        """The environment variables of such a process."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
        language = self.locale or ("C.UTF-8" if sys.platform != "darwin" else "en_US.UTF-8")
        return kept | {"PYTHONHASHSEED": str(self.hash_seed), "TZ": self.zone, "LC_ALL": language}

    def enter(self) -> None:
        """Within the process: before the environment is imported."""
        from journeyman.grind import inputs

        if self.locale:
            locale.setlocale(locale.LC_ALL, "")
        inputs.install(0.0 if self.late else self.shift, self.frozen, self.seeded, self.watched)

    def opened(self) -> None:
        """Within the process: when the environment has been imported."""
        from journeyman.grind import inputs

        if self.late:
            inputs.install_late(self.shift)
        if self.watched:
            inputs.watch_numpy()
        inputs.READS.clear()  # what is asked for at import is not an episode's


REFERENCE = Surroundings()


def together(other_locale: str | None, hash_seed: int) -> Surroundings:
    """Everything changed at once: a trace that stays equal there depends on none of it."""
    return Surroundings(hash_seed, LATER, ELSEWHERE, other_locale or "")


def one_by_one(other_locale: str | None) -> Mapping[str, Surroundings]:
    """Each change alone, to find out which one a difference is due to."""
    changes = {
        "process": REFERENCE,
        "hash_seed": Surroundings(hash_seed=1),
        "hash_seed_2": Surroundings(hash_seed=2),
        "clock": Surroundings(shift=LATER),
        "time_zone": Surroundings(zone=ELSEWHERE),
    }
    return changes | ({"locale": Surroundings(locale=other_locale)} if other_locale else {})


@cache
def another_locale() -> str | None:
    """A locale with another language that is installed here, or None."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        for name in ("de_DE.UTF-8", "tr_TR.UTF-8", "fr_FR.UTF-8", "pt_BR.UTF-8", "es_ES.UTF-8", "it_IT.UTF-8"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue
            return name
        return None
    finally:
        locale.setlocale(locale.LC_ALL, before)
