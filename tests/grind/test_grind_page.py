"""The page on grinding shows what runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import journeyman
from journeyman.grind.report import NEEDED, ORDER

PAGE = (Path(__file__).parents[2] / "docs" / "grind.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    file = tmp_path / "example.py"
    file.write_text(BLOCKS[0], encoding="utf-8")
    return file


def test_the_example_runs_and_is_grindable(example: Path) -> None:
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["grindable", "None", "None"]


def test_the_example_of_a_test_holds(example: Path) -> None:
    """It is the fixture that pytest finds, on the environment of the first example."""
    assert 'if __name__ == "__main__":' in BLOCKS[0]  # so that importing it measures nothing
    test = example.with_name("test_example.py")
    test.write_text(f"from example import Guess\n\n\n{BLOCKS[1]}", encoding="utf-8")
    plugin = ["-p", "journeyman.grind.pytest_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, str(test)],
        cwd=example.parent,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(journeyman.__file__).parents[1]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # of what else is installed, none
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_every_example_is_run() -> None:
    assert len(BLOCKS) == 2


def test_what_a_verdict_does_without_is_named() -> None:
    [said] = re.findall(r"\*\*What a verdict needs\.\*\*.*?(?=\n- \*\*)", PAGE, re.DOTALL)
    for id_ in set(ORDER) - set(NEEDED):
        assert f"`{id_}`" in said
