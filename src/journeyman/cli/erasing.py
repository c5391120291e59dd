"""`journeyman erase`: take back what somebody said, out of the weights too; and check a certificate of it.

Always holds: it says what it will take before it takes it, if it is asked to (--dry-run); a certificate is checked with
no store at hand.

Knows nothing of how anything is erased.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journeyman.cli import common
from journeyman.errors import InputError, UsageError
from journeyman.registry import certificate, erasure

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "erase",
        help="take back what somebody said, out of the weights too",
        description="Erase a session, a user's sessions or a tenant's: rows, what nights made of them, and every"
        " adapter that learned from them. What served falls back to an adapter that did not, or to the base, at once."
        " A signed certificate says what was erased and what fell.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--session", metavar="ID", help="the beginning of its id, or its name")
    what.add_argument("--user", metavar="NAME", help="all sessions of this user")
    what.add_argument("--check", metavar="FILE", help="check a certificate, and say what it certifies")
    what.add_argument("--resume", action="store_true", help="finish erasures that were stopped")
    common.add_tenant(parser, "whose; by itself: all that this tenant has", None)
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and erase nothing")
    said = "with --check: the public key that has to have signed (or its first 16 digits)"
    parser.add_argument("--signed-by", default="", metavar="KEY", help=said)
    common.add_store(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.check is not None:
        return _check(args)
    if not (args.session or args.user or args.tenant or args.resume):
        raise UsageError("it is not said what to erase", "give --session ID, --user NAME or --tenant NAME")
    asked: dict[str, Any] = {"session": args.session or "", "user": args.user or "", "tenant": args.tenant}
    with common.existing_store(args.store) as store:
        if args.dry_run:
            thought, _ = erasure.plan(store, erasure.choose(store, **asked))
            return _tell(args, thought.certificate, None)
        with store.lock("night"):
            if args.resume:
                paths = [str(erasure.certificate_path(store, each)) for each in erasure.finish(store)]
                said = "\n".join(paths) or "nothing was left to finish"
                print(json.dumps({"finished": paths}) if args.json else said)
                return 0
            done = erasure.erase(store, **asked)
            return _tell(args, done.certificate, erasure.certificate_path(store, done))


def _check(args: argparse.Namespace) -> int:
    try:
        text = Path(args.check).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{args.check} cannot be read", "give the file that journeyman erase wrote") from error
    body = certificate.check(text, args.signed_by)
    if args.json:
        print(json.dumps({"valid": True, "public_key": json.loads(text)["public_key"], "certificate": body}))
        return 0
    console = common.console()
    console.print(f"the certificate is as it was signed, with the key {json.loads(text)['public_key']}")
    if not args.signed_by:
        console.print("(that this is the key of whoever runs the store, they have to say; then: --signed-by KEY)")
    _show(body)
    return 0


def _tell(args: argparse.Namespace, signed: dict[str, Any], path: Path | None) -> int:
    """`path`: of the certificate; None: nothing has been done."""
    body = signed["certificate"] if path else signed
    if args.json:
        print(
            json.dumps(
                {"erased": True, "path": str(path), **signed} if path else {"erased": False, "certificate": body}
            )
        )
        return 0
    _show(body)
    common.console().print(f"certificate: {path}" if path else "nothing was erased: this was a dry run")
    if path and body["adapters"]:
        common.console().print("what others' sessions had taught is learned anew by the next night")
    return 0


def _show(body: dict[str, Any]) -> None:
    console = common.console()
    erased = body["erased"]
    of = f", tenant {body['tenant']}" if body["tenant"] else ""
    console.print(f"erasure {body['id']} of {body['erased_at']}{of}")
    counts = ", ".join(f"{len(ids)} {name.removesuffix('_sha256')}" for name, ids in erased.items())
    console.print(f"gone: {counts}; what {len(body['nights'])} nights made of them")
    for each in body["adapters"]:
        console.print(f"withdrawn: adapter {each['hash']} ({each['verdict']}) of night {each['night_id']}")
    for each in body["service"]:
        console.print(f"in service: {each['now']} (was: {each['was']})")
