"""`journeyman night`: learn from the sessions of a store.

Always holds: a night that ran to its verdict exits 0, whatever the verdict; one that was stopped continues when the
same command is given again; of several tenants' nights, one that fails keeps no other from its own.

Knows nothing of phases but their names and what they cost.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from journeyman.cli import common, progress, summary
from journeyman.errors import JourneymanError, UsageError
from journeyman.store import Store, open_store, without_secrets

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "night",
        help="learn from the sessions, and prove it",
        description="Turn what the sessions taught into an adapter, measure what it gained and what it cost, and"
        " put it in service if the gate says PROMOTE.",
    )
    common.add_store(parser, "; made if there are --sessions")
    whose = parser.add_mutually_exclusive_group()
    common.add_tenant(whose, "whose sessions to learn from, and whose adapter (default: the store's own)")
    whose.add_argument(
        "--all-tenants",
        action="store_true",
        help="a night for each tenant whose sessions are kept, one after the other",
    )
    parser.add_argument(
        "--sessions", nargs="+", action="extend", default=[], metavar="FILE", help="files to import first"
    )
    add_settings(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """What a night depends on, besides its sessions."""
    common.add_model(parser)
    common.add_seed(parser)
    parser.add_argument(
        "--suite",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="JSONL files of items that general ability is measured on too",
    )
    parser.add_argument(
        "--writer", metavar="URL", help="base URL of an OpenAI-compatible model that may write situations"
    )
    parser.add_argument("--steps", type=common.count, metavar="N", help="updates to train for")
    said = "decisions in dreamed worlds to train on, where sessions hold calls of tools; 0: none"
    parser.add_argument("--dream-steps", type=common.natural, metavar="N", help=said)
    said = "made-up secrets to plant among the sessions, which must not come out of the adapter (default: none)"
    parser.add_argument("--canaries", type=common.count, metavar="N", help=said)
    parser.add_argument("--learning-rate", type=common.positive, metavar="X", help="of the first, highest updates")


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """The same, as `journeyman.night` takes it."""
    from journeyman.night import NightOptions

    names = ("steps", "learning_rate", "dream_steps", "canaries")
    given: dict[str, Any] = {name: getattr(args, name) for name in names}
    options = NightOptions(**{name: value for name, value in given.items() if value is not None})
    return {"seed": args.seed, "suites": args.suite, "writer": args.writer, "options": options}


def run(args: argparse.Namespace) -> int:
    from journeyman.night import night

    chosen = settings(args)
    if args.all_tenants and args.sessions:
        raise UsageError("the sessions of a file are one tenant's", "name it: --tenant NAME, without --all-tenants")
    opened = open_store(args.store) if args.sessions else common.existing_store(args.store)

    def run_night(store: Store, tenant: str, report: progress.Report) -> dict[str, Any]:
        return night(
            store,
            args.model,
            tenant=tenant,
            sessions=args.sessions,
            progress=report,
            **chosen,
        )

    with opened as store, progress.shown(quiet=args.json) as report:
        if args.all_tenants:
            results = [_attempt(run_night, store, tenant, report) for tenant in store.tenants()]
        else:
            results = [run_night(store, args.tenant, report)]
    if args.json:
        print(json.dumps({"nights": results} if args.all_tenants else results[0]))
    else:
        _show(results, args)
    return 1 if any("error" in result for result in results) else 0


def _attempt(
    run_night: Callable[[Store, str, progress.Report], dict[str, Any]],
    store: Store,
    tenant: str,
    report: progress.Report,
) -> dict[str, Any]:
    """The night's result, or why there is none. Each loads the model anew: nothing of one tenant's is left in it."""
    try:
        return run_night(store, tenant, lambda what, share: report(f"{tenant}: {what}" if tenant else what, share))
    except JourneymanError as error:
        return {"tenant": tenant, "error": error.message, "remedy": error.remedy}


def _show(results: list[dict[str, Any]], args: argparse.Namespace) -> None:
    console = common.console()
    if not results:
        console.print("nothing is kept yet")
    for result in results:
        if args.all_tenants:
            console.print(f"\n{result['tenant'] or 'of no tenant'}", style="bold")
        if "error" in result:
            console.print(f"error: {result['error']}\ntry: {result['remedy']}")
            continue
        summary.show_night(console, result)
        summary.show_places(console, result, without_secrets(args.store), args.model)
