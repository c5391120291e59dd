"""The command line: `journeyman COMMAND ...`.

Always holds: what a program reads goes to stdout, what a person watches to stderr; a mistake ends in `error: ...`,
`try: ...` and an exit code (0 done, 1 it could not be done, 2 it was asked for wrongly), never in a traceback; under
`--json` stdout holds one JSON object, whether the command succeeds or fails.

Knows the commands' names; what one does is in the file of that command.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from journeyman.cli import failures
from journeyman.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Raises what is wrong with a command line instead of ending the program; options are written in full."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"{self.prog} --help")

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # as argparse has it
        """What a command does not know is its own to say: the program's help would not tell its options."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


class Program(Parser):
    """The program's own parser: `grind train` is a command of two words, beside `grind TARGET`."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # as argparse has it
        words = list(sys.argv[1:] if args is None else args)
        if words[:2] == ["grind", "train"]:
            words[:2] = ["grind train"]
        return super().parse_known_args(words, namespace)


def build_parser() -> argparse.ArgumentParser:
    # Here and not above: Ctrl-C while these load must end as it does anywhere else.
    from journeyman import __version__
    from journeyman.cli import (
        adapters,
        asking,
        bisecting,
        demo,
        dreaming,
        erasing,
        evaluating,
        explaining,
        grinding,
        importing,
        keys,
        ledger,
        night,
        nightly,
        practising,
        remarking,
        reporting,
        serving,
        sessions,
        status,
        week,
        world,
    )

    parser = Program(
        prog="journeyman",
        description="Keep the sessions of a model, learn from them overnight, and prove it before it ships.",
    )
    parser.add_argument("--version", action="version", version=f"journeyman {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    day = (serving, keys, importing, sessions, remarking)
    nights = (night, nightly, status, asking, explaining, bisecting, evaluating, reporting, adapters, ledger, erasing)
    for command in (*day, *nights, grinding, practising, dreaming, world, demo, week):
        command.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with _ending_like_ctrl_c():
            _open_what_is_closed()
            _write_what_can_be_written()
            if any("\udc80" <= character <= "\udcff" for word in words for character in word):
                raise UsageError("the command line holds bytes that are not UTF-8", "write it in UTF-8")
            args = build_parser().parse_args(words)
            code = args.run(args)
            sys.stdout.flush()  # a full disk or a closed pipe shows here, not after the last line of this program
            return code
    except SystemExit as done:  # --help and --version; rich ends so when its reader has gone
        return failures.finish(done.code if isinstance(done.code, int) else 0)
    except BrokenPipeError:
        return failures.finish(1)
    except (Exception, KeyboardInterrupt) as error:
        return failures.report(error, as_json="--json" in words)


@contextmanager
def _ending_like_ctrl_c() -> Iterator[None]:
    """Within it a request to end (SIGTERM) is a KeyboardInterrupt."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # whoever called us there handles signals
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _open_what_is_closed() -> None:
    """Where a standard stream is closed (`>&-`, some daemons), the next file that is opened, the store perhaps, would
    take its place, and whatever a library prints would go into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  # open until the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


def _write_what_can_be_written() -> None:
    """A character that the terminal does not know becomes a question mark, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
