"""Files of a directory that change together: killed at any moment, a writer leaves the old ones or the new ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from journeyman.world import directory
from journeyman.world.directory import replacing, settled


def written(where: Path, text: str) -> None:
    with replacing(where, gone=("said",)) as new:
        new("one").write_text(text)
        new("two").write_text(text)


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    where = tmp_path / "deep" / "world"
    written(where, "old")
    (where / "said").write_text("old")
    (where / "theirs").write_text("kept")
    written(where, "new")
    assert {each.name: each.read_text() for each in where.iterdir()} == {"one": "new", "two": "new", "theirs": "kept"}


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    written(tmp_path, "old")
    with suppress(KeyboardInterrupt), replacing(tmp_path) as new:
        new("one").write_text("half")
        raise KeyboardInterrupt
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"one": "old", "two": "old"}


@pytest.mark.parametrize("calls", range(9))
def test_whoever_comes_next_ends_what_was_begun(calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before each rename and each removal in turn, as by a power cut: nothing more is done, nothing cleared."""
    written(tmp_path, "old")
    (tmp_path / "said").write_text("old")
    left = [calls]

    class Cut(BaseException):
        pass

    def step(real: object) -> object:
        def act(*args: object, **given: object) -> object:
            if left[0] <= 0:
                raise Cut
            left[0] -= 1
            return real(*args, **given)  # type: ignore[operator]

        return act

    with monkeypatch.context() as patched:
        for name in ("replace", "unlink", "write_text"):
            patched.setattr(directory.Path, name, step(getattr(Path, name)))
        with suppress(Cut):
            written(tmp_path, "new")
    settled(tmp_path)
    texts = {name: (tmp_path / name).read_text() for name in ("one", "two")}
    assert texts in ({"one": "old", "two": "old"}, {"one": "new", "two": "new"})
    assert (tmp_path / "said").exists() == (texts["one"] == "old")
    written(tmp_path, "newer")
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"one": "newer", "two": "newer"}


def test_a_writer_that_is_killed_leaves_one_or_the_other(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from journeyman.world.directory import replacing
print("begun", flush=True)
for number in range(10**9):
    with replacing(Path(sys.argv[1])) as new:
        for name in ("one", "two", "three"):
            new(name).write_text(f"{number}" * 50)
"""
    for turn in range(6):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", code, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.05 + 0.013 * turn)
            process.send_signal(signal.SIGKILL)
        settled(tmp_path)
        assert len({(tmp_path / name).read_text() for name in ("one", "two", "three")}) == 1
