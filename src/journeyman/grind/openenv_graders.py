"""The checks under the ids that OpenEnv's validation policy (RFC 008) reserves for them.

OpenEnv finds these by the entry-point group `openenv.validation.graders`, which its GraderRegistry.load_entry_points
reads. The ids: runtime.seed_control, runtime.episode_determinism, runtime.episode_isolation, semantic.oracle_max,
semantic.floor_gap, semantic.verifier_determinism, semantic.replayability.

Always holds: a grader says FAIL where one of its checks failed, PASS only where each that it needs was tested and
passed, and SKIP otherwise, with the reasons; what was not tested is in the evidence also of a PASS; one subject is
measured once for all graders; an id that OpenEnv itself has come to implement is left to it, and the grader is then
`journeyman.…`.

Written for OpenEnv 0.10; only OpenEnv imports this module.
"""

from __future__ import annotations

import time
from typing import Any

from openenv.validation.policy import load_policy  # pyright: ignore[reportMissingImports]
from openenv.validation.report import CheckResult  # pyright: ignore[reportMissingImports]
from openenv.validation.runner import default_grader_registry  # pyright: ignore[reportMissingImports]
from openenv.validation.types import CheckStatus, Level  # pyright: ignore[reportMissingImports]

from journeyman.errors import JourneymanError
from journeyman.grind.measure import grind
from journeyman.grind.report import ORDER, Check, Report, applies
from journeyman.grind.verdicts import IDLE

BUDGET = 60.0
_TAKEN = default_grader_registry(load_policy("v2"))
_MEASURED: dict[str, Report | JourneymanError] = {}


class _Grader:
    """One reserved id, the checks that can refute it, and those of them that must have been tested for a PASS. What
    surrounds the process of a running server cannot be changed from outside, so determinism needs none of it."""

    reserved = ""
    checks: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # default: all that can refute it
    requires_capabilities: frozenset[str] = frozenset()
    requires_provider: frozenset[Any] = frozenset()
    depends_on: tuple[str, ...] = ("runtime.startup",)

    def __init__(self) -> None:
        level, _, name = self.reserved.partition(".")
        self.check_id = self.reserved if _TAKEN.get(self.reserved) is None else f"journeyman.{name}"
        self.level = Level[level.upper()]

    def applies_to(self, manifest: Any) -> bool:  # noqa: ARG002  # the protocol's form
        return True

    def run(self, subject: Any) -> CheckResult:
        """Measure the running subject over its own server."""
        began = time.monotonic()
        running = getattr(subject, "running", None)
        if running is None:
            return self._result(CheckStatus.SKIP, ["no running subject to measure"], {}, None, began)
        report = _measured(running.base_url)
        if isinstance(report, JourneymanError):
            return self._result(CheckStatus.ERROR, [report.message], {}, report.remedy, began)
        found = [report.found[id_] for id_ in self.checks]
        failed = [check for check in found if check.passed is False]
        tested = [check for check in found if check.passed is not None]
        held = all(report.found[id_].passed or not applies(report.found[id_]) for id_ in self.needs or self.checks)
        status = CheckStatus.FAIL if failed else CheckStatus.PASS if tested and held else CheckStatus.SKIP
        measured = {check.id: {"value": check.value, "n": check.n} for check in tested}
        remedy = ORDER[failed[0].id][1] if failed else None
        return self._result(status, [_told(check) for check in failed or found], measured, remedy, began)

    def _result(
        self, status: CheckStatus, evidence: list[str], measured: dict[str, Any], remedy: str | None, began: float
    ) -> CheckResult:
        return CheckResult(
            check_id=self.check_id,
            status=status,
            measured=measured,
            evidence=evidence,
            remediation=remedy,
            duration_s=time.monotonic() - began,
        )


def _measured(url: str) -> Report | JourneymanError:
    if url not in _MEASURED:
        try:
            _MEASURED[url] = grind(f"openenv:{url}", budget=BUDGET)
        except JourneymanError as error:
            _MEASURED[url] = error
    return _MEASURED[url]


def _told(check: Check) -> str:
    """One line, which names places and not what stands there: a subject may hold secrets."""
    if check.passed is None:
        return f"{check.id}: not tested: {check.evidence.get('reason', '')}"
    where = check.evidence.get("different") or {}
    place = f"; first difference at step {where['step']}, {where['part']}{where['path']}" if "step" in where else ""
    return f"{check.id}: {'holds' if check.passed else 'does not hold'} ({check.value} of {check.n}){place}"


def _all(prefix: str) -> tuple[str, ...]:
    return tuple(id_ for id_ in ORDER if id_.startswith(prefix))


class SeedControl(_Grader):
    reserved, checks = "runtime.seed_control", ("starts.identical",)


class EpisodeDeterminism(_Grader):
    reserved, checks = "runtime.episode_determinism", _all("deterministic.")
    needs = ("deterministic.repeat", "deterministic.concurrency")


class EpisodeIsolation(_Grader):
    reserved, checks = "runtime.episode_isolation", _all("isolated.")


class OracleMax(_Grader):
    reserved, checks = "semantic.oracle_max", ("verifiable.oracle",)


class FloorGap(_Grader):
    reserved = "semantic.floor_gap"
    checks = tuple(f"verifiable.{name}" for name in IDLE)


class VerifierDeterminism(_Grader):
    reserved, checks = "semantic.verifier_determinism", ("verifiable.repeats",)


class Replayability(_Grader):
    reserved, checks = "semantic.replayability", _all("replayable.")
