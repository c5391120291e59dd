"""What a person sees while a command works: a bar in a terminal, a line a phase elsewhere. All of it on stderr.

Always holds: the bar is gone when the work ends, however it ends.

Knows nothing of the work but its name and the share that is done.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

Report = Callable[[str, float], None]


@contextmanager
def shown(quiet: bool) -> Iterator[Report]:
    """Gives the function to report with; `quiet` says nothing unless a terminal can show it in passing."""
    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        yield from _bar(console)
    elif quiet:
        yield lambda _what, _share: None
    else:
        yield _lines()


def _bar(console: Console) -> Iterator[Report]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda what, share: progress.update(task, description=what, completed=share)


def _lines() -> Report:
    started, last = time.monotonic(), ""

    def line(what: str, _share: float) -> None:
        nonlocal last
        if what != last:
            print(f"{time.monotonic() - started:7.1f} s  {what}", file=sys.stderr, flush=True)
            last = what

    return line
