"""The assertion, as pytest runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import journeyman

HERE = Path(__file__).parent


def test_the_fixture_passes_and_fails_as_the_verdict_does(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import environments

def test_clean(assert_grindable):
    assert_grindable(environments.Clean, budget=20, without=["parallel", "deterministic.concurrency"])

def test_defect(assert_grindable):
    assert_grindable(environments.HashOrder, budget=20)
"""
    )
    plugin = ["-p", "journeyman.grind.pytest_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, str(tmp_path)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(journeyman.__file__).parents[1]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # of what else is installed, none
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "is not grindable: deterministic.hash_seed failed" in done.stdout
    assert "sort sets before" in done.stdout
