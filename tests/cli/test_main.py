"""The command line as a whole: how it ends, what it says, and in which stream."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from program import start

from journeyman.cli import build_parser, common, failures, importing, main
from journeyman.errors import ModelError
from journeyman.model import source
from journeyman.store import open_store

DAY = "serve keys import sessions feedback outcome"
NIGHT = "night nightly status ask why bisect evaluate report adapters ledger erase"
COMMANDS = [*DAY.split(), *NIGHT.split(), "grind", "dream", "world", "demo", "week"]
LINE = '{"id": "%s", "messages": [{"role": "user", "content": "hi"}]}\n'
FULL = Path("/dev/full")


def failing(error: BaseException) -> Callable[..., int]:
    def run(_args: object) -> int:
        raise error

    return run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_text(LINE % "a")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: journeyman {command} ")
    if command not in ("sessions", "keys", "adapters", "world"):  # its actions have their own
        assert "--store" in out or command in ("demo", "grind")
        assert "--json" in out


def test_the_list_of_commands_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines() if line.startswith("    ")] == COMMANDS


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nights"],
        ["nightly"],
        ["nightly", "--at", "25:00"],
        ["nightly", "--at", "2"],
        ["nightly", "--at", "02:00", "--once"],
        ["nightly", "--once", "--store", "missing.db"],
        ["nightly", "--once", "--webhook", "ftp://host"],
        ["status", "--store", "missing.db"],
        ["night", "--stps", "3"],
        ["night", "--step", "3"],
        ["night", "--steps", "0"],
        ["night", "--steps", "many"],
        ["night", "--learning-rate", "nan"],
        ["night", "--seed", "-1"],
        ["night", "--store", "missing.db"],
        ["ask"],
        ["ask", " "],
        ["ask", "Caf\udce9?"],  # Latin-1 as Python hands it on
        ["ask", "Who?", "--store", "missing.db"],
        ["why", " "],
        ["why", "Who?", "--store", "missing.db"],
        ["bisect", " "],
        ["evaluate"],
        ["evaluate", "--questions", "missing.jsonl"],
        ["evaluate", "--questions", "q", "--context", "all"],
        ["report", "--store", "missing.db"],
        ["demo", "--user", "nobody"],
        ["import", "missing.jsonl"],
        ["import", "log.jsonl", "--store", "mysql://host/db"],
    ],
)
def test_a_wrong_request_is_two_lines_and_exit_code_2(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("try: ")

    assert main([*words, "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "error": err.splitlines()[0].removeprefix("error: "),
        "remedy": err.splitlines()[1].removeprefix("try: "),
    }
    assert not Path("missing.db").exists(), "a store that is only read is not made"


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (ModelError("no weights", "copy them"), 1, "error: no weights\ntry: copy them\n"),
        (KeyboardInterrupt(), 1, "error: stopped on request: everything that was committed stays\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), 1, "no space left on the disk for /x/y\n"),
        (OSError(errno.EDQUOT, "Quota exceeded"), 1, "no space left on the disk\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), 1, "cannot use /x/y: permission denied\n"),
        (MemoryError(), 1, "error: there is not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 1, "not enough memory"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 2, 'try: pip install "journeyman[train]"\n'),
        (ModuleNotFoundError("No module named 'psycopg'", name="psycopg"), 2, 'pip install "journeyman[postgres]"\n'),
        (ImportError("no pq wrapper available.\n- couldn't import psycopg 'c'"), 2, '"journeyman[postgres]"\n'),
        (ImportError("Please install gguf>=0.10.0 to load a GGUF checkpoint"), 2, "error: this needs gguf, which"),
    ],
)
def test_what_can_happen_is_explained(
    raised: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(importing, "run", failing(raised))
    monkeypatch.setenv(failures.DEBUG, "1")
    assert main(["import", "x"]) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError("two\nlines"), ModuleNotFoundError("No module named 'x'", name="x"), OSError("?")]
)
def test_a_defect_asks_to_be_reported(
    raised: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importing, "run", failing(raised))
    monkeypatch.delenv(failures.DEBUG, raising=False)
    assert main(["import", "x", "--json"]) == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"error: this is a defect of Journeyman ({type(raised).__name__}: ")
    assert len(err.splitlines()) == 2
    assert "Traceback" not in err
    assert json.loads(out).keys() == {"error", "remedy"}
    monkeypatch.setenv(failures.DEBUG, "1")
    assert main(["import", "x"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_says_that_it_can_go_on(tmp_path: Path, log: Path, stop: signal.Signals) -> None:
    store, pipe = tmp_path / "store.db", tmp_path / "pipe"
    os.mkfifo(pipe)
    running = start("import", log, pipe, "--store", store)
    with pipe.open("w"):  # opens when the program does: it has read the first file and waits for this one
        running.send_signal(stop)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 1
    assert out == ""
    assert err.startswith("error: stopped on request")
    assert "try: run the same command again" in err
    assert "Traceback" not in err
    again = start("import", log, "--store", store)
    assert "1 read, 1 new" in again.communicate(timeout=60)[0], "one command keeps all of its files, or none"


def test_sigterm_is_ours_only_while_a_command_runs(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(["--version"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before
    assert capsys.readouterr().out.startswith("journeyman ")


@pytest.mark.parametrize("words", [["import", "{log}"], ["import", "{log}", "--json"]])
def test_a_reader_that_has_gone_is_no_defect(tmp_path: Path, log: Path, words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    running = start(*(word.format(log=log) for word in words), stdout=write, cwd=tmp_path)
    os.close(write)
    assert running.communicate(timeout=60)[1] == ""
    assert running.returncode == 1


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_full_disk_behind_stdout_is_explained(tmp_path: Path, log: Path, options: list[str]) -> None:
    with FULL.open("w") as full:
        running = start("import", log, *options, stdout=full, cwd=tmp_path)
        err = running.communicate(timeout=60)[1]
    assert running.returncode == 1
    assert err.startswith("error: there is no space left on the disk")
    assert len(err.splitlines()) == 2


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    page = tmp_path / "new" / "page.html"
    common.write_whole(page, "old")
    common.write_whole(page, "new \ud800")
    assert page.read_text() == "new ?"
    with pytest.raises(TypeError):
        common.write_whole(page, None)  # type: ignore[arg-type]
    assert page.read_text() == "new ?"
    assert os.listdir(page.parent) == ["page.html"]


def test_the_default_model_is_named_in_the_help() -> None:
    args = build_parser().parse_args(["night"])
    assert (args.model, args.store) == (source.DEFAULT_MODEL, "journeyman.db")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_standard_stream_is_no_defect(closed: str, tmp_path: Path) -> None:
    """And no file that is opened takes its place: the store stays one."""
    log = tmp_path / "log.jsonl"
    log.write_text('{"messages": [{"role": "user", "content": "I live in Bergen."}]}\n')
    command = f"{shlex.quote(sys.executable)} -m journeyman import log.jsonl --store a.db {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    with open_store(tmp_path / "a.db") as store:
        assert store.count_sessions() == 1


@pytest.mark.parametrize(
    ("words", "help_of"),
    [("outcome 1 --colour", "outcome"), ("keys add ann --colour", "keys add"), ("night --colour", "night")],
)
def test_the_command_that_was_given_an_unknown_option_names_its_own_help(
    words: str, help_of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    said, remedy = capsys.readouterr().err.splitlines()
    assert "unrecognized arguments: --colour" in said
    assert remedy == f"try: journeyman {help_of} --help"
