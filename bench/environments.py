"""Environments for those that we are measured against: torch and its kin as they are pinned for ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PINS = Path(__file__).parent.parent / "constraints.txt"


def environment(directory: Path, *packages: str) -> Path:
    """The Python of the environment in `directory`; one that is not there is made, with torch and these packages."""
    python = directory / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "-c", PINS]
        subprocess.run([*install, "torch"], check=True)
        subprocess.run([*install, *packages], check=True)
    return python
