"""The page on worlds shows what runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "worlds.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("block", "says"), [(BLOCKS[0], "1.0 []"), (BLOCKS[1], "oracle True 2/2")])
def test_examples_run(tmp_path: Path, block: str, says: str) -> None:
    (tmp_path / "example.py").write_text(block, encoding="utf-8")
    done = subprocess.run([sys.executable, tmp_path / "example.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert "False" not in done.stdout


def test_every_example_is_run() -> None:
    assert len(BLOCKS) == 2
