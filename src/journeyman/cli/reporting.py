"""`journeyman report`: open the page of a night.

Always holds: the page's path is printed, and on stdout there is nothing else; a browser is opened only where a person
sits. A page that is gone is made again from what the store keeps of the night.

Knows nothing of what a page shows.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from journeyman import morning
from journeyman.cli import common
from journeyman.errors import InputError, UsageError
from journeyman.web.report import render

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers
    from journeyman.records import NightRecord
    from journeyman.store import Store


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "report",
        help="open the page of the last night",
        description="Open the page of the last night that ended, or of another one, and print where it lies.",
    )
    common.add_store(parser)
    common.add_tenant(parser, "whose night (default: the store's own)")
    parser.add_argument("--night", default="", metavar="KEY", help="the beginning of a night's key (default: the last)")
    parser.add_argument("--no-browser", action="store_true", help="only print where the page lies")
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        night = _find(store, args.night, args.tenant)
        result = morning.at_home(store, night.result or {})
    path = Path(result["report"]) if result.get("report") else None
    if path is None:
        raise InputError(
            f"night {night.key} made no page: {result.get('verdict', 'it has no verdict')}",
            "name another night with --night",
        )
    if not path.is_file():
        common.write_whole(path, render(result))
    if args.json:
        print(json.dumps({"night": night.key, "verdict": result.get("verdict"), "report": str(path)}))
        return 0
    print(path)
    # Without a display this may still find a browser that runs in the terminal.
    if not args.no_browser and sys.stdout.isatty():
        webbrowser.open(path.resolve().as_uri())
    return 0


def _find(store: Store, key: str, tenant: str) -> NightRecord:
    nights = [night for night in store.nights(tenant) if night.key.startswith(key)]
    ended = [night for night in nights if night.result is not None]
    if key and len(nights) > 1:
        some = ", ".join(night.key for night in nights[:5])
        raise UsageError(f"{key!r} begins {len(nights)} nights", f"give more of it: {some}")
    if not ended:
        if nights:
            raise InputError(f"night {nights[-1].key} has not ended yet", "run the same night again: it continues")
        whose = f" of {tenant}" if tenant else ""
        what = f"there is no night {key!r}{whose} in this store" if key else f"this store has seen no night{whose} yet"
        option = f" --tenant {shlex.quote(tenant)}" if tenant else ""
        raise UsageError(what, f"journeyman night --store {shlex.quote(store.name)}{option}")
    return sorted(ended, key=lambda night: night.finished_at)[-1]  # of two that ended at once, the later begun
