"""`journeyman nightly`: a night for each tenant that has something new, every night, with nobody there.

Always holds: who waits holds no model and no memory of one, since each round is a process of its own (`--once`), which
may be killed without harm; a round that was killed, or asked to end, is gone on with as soon as this is started again,
or at once if this still runs, but not for ever, and not when its time is over.

Knows when; what a round does is in `rounds`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from journeyman.cli import common, night, rounds
from journeyman.nightly import hours, webhook
from journeyman.nightly.book import ROUND, WAITING, Book, alone, held

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers
    from journeyman.store import Store

WEBHOOK = "JOURNEYMAN_WEBHOOK"
TRIES = 3  # of a round that dies: the fourth would die too
_PASSED_ON = (
    "store", "model", "seed", "writer", "steps", "dream_steps", "learning_rate", "canaries",
    "max_cpu_minutes", "max_memory"
)  # fmt: skip


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "nightly",
        help="a night for each tenant that has something new, every night",
        description="Wait for a time of day, run a night for each tenant that has something new, and wait for the next."
        " What a budget, a crash or a request to end cuts off is gone on with.",
    )
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument("--at", type=_time_of_day, metavar="HH:MM", help="when to begin, every day, in local time")
    when.add_argument("--once", action="store_true", help="begin now, and exit: 0 all went, 1 some night failed")
    common.add_store(parser)
    for name, unit, said in (
        ("--max-minutes", "N", "begin no phase later than that after the beginning, over all tenants"),
        ("--max-cpu-minutes", "N", "likewise, minutes of CPU time on all cores together"),
        ("--max-memory", "GIB", "memory that the process may have for itself; a night that needs more fails (Linux)"),
    ):
        parser.add_argument(name, type=common.positive, metavar=unit, help=said)
    said = f"POST what came of each night there, as JSON (default: what {WEBHOOK} says)"
    parser.add_argument("--webhook", default=os.environ.get(WEBHOOK, ""), metavar="URL", help=said)
    night.add_settings(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(
    args: argparse.Namespace,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """`clock`: seconds since 1970."""
    if args.webhook:
        webhook.checked(args.webhook)
    with common.existing_store(args.store) as store:
        if not args.once:
            with alone(store, WAITING):
                return Watch(args, store, clock, sleep).every_night()
        with alone(store, ROUND):
            line = rounds.Round(store, args, clock).run()
    print(json.dumps(line) if args.json else rounds.summary(line))
    return 1 if line["failed"] or line["stopped"] == "request" else 0


class Watch:
    """Somebody who is up at night, and starts a round when it is time."""

    def __init__(
        self, args: argparse.Namespace, store: Store, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self.args, self.store, self.clock, self.sleep = args, store, clock, sleep
        self.book = Book.beside(store)

    def every_night(self) -> int:
        """Until somebody ends it: 0 if that was while it waited, 1 in the middle of a round."""
        if not held(self.store, ROUND) and not self._finish():
            return 1
        while True:
            begins = hours.next_time(self.clock(), self.args.at)
            self.book.set_now(state="waiting", next=hours.written(begins))
            print(f"waiting for {datetime.fromtimestamp(begins):%Y-%m-%d %H:%M}", file=sys.stderr, flush=True)
            try:
                hours.wait(begins, self.clock, self.sleep)
            except KeyboardInterrupt:
                self.book.clear()
                return 0
            # A machine that slept through the night is not to work by day.
            if self._minutes(begins) > 0 and not (self._round(begins) and self._finish()):
                return 1

    def _finish(self) -> bool:
        """Go on with a round that died, as often as it is worth it; whether nobody has asked to end."""
        while (left := self.book.read_now() or {}).get("state") == "running":
            began, tries = datetime.fromisoformat(left["began"]).timestamp(), left["tries"]
            if tries < TRIES and self._minutes(began) > 0:
                if not self._round(began):
                    return False
                if self.book.read_now() != left:  # else it died before it had written that it began
                    continue
            self._given_up(left["began"], tries)
        return True

    def _given_up(self, began: str, tries: int) -> None:
        line = {"began": began, "tries": tries, "stopped": "crash", "failed": 1, "nights": []}
        rounds.log(self.store, line, self.args.webhook)
        self.book.clear()

    def _round(self, began: float) -> bool:
        """A round in a process of its own; whether nobody has asked to end meanwhile."""
        words = [sys.executable, "-m", "journeyman", "nightly", "--once", *self._options(began)]
        asked, lines = False, len(self.book.lines())
        # A group of its own: Ctrl-C in a terminal reaches it once, from here, and not twice.
        with subprocess.Popen(words, env={**os.environ, WEBHOOK: self.args.webhook}, process_group=0) as process:
            while process.poll() is None:
                try:
                    process.wait()
                except KeyboardInterrupt:
                    asked = True
                    process.send_signal(signal.SIGTERM)
        state = (self.book.read_now() or {}).get("state")
        if not asked and state != "running" and len(self.book.lines()) == lines:
            self._given_up(hours.written(began), 1)  # it could not even begin
        return not asked

    def _options(self, began: float) -> Sequence[str]:
        given = {name: getattr(self.args, name) for name in _PASSED_ON}
        found = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
        found += ["--json"] * self.args.json
        if self.args.max_minutes:
            found += [f"--max-minutes={max(self._minutes(began), 0.01)}"]
        return [*found, *(["--suite", *self.args.suite] if self.args.suite else [])]

    def _minutes(self, began: float) -> float:
        """What is left of the time of a round that began then."""
        return (self.args.max_minutes or float("inf")) - (self.clock() - began) / 60


def _time_of_day(word: str) -> Any:
    try:
        return hours.time_of_day(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is not a time of day such as 02:00") from None
