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

from journeyman.cli import common, progress
from journeyman.errors import InputError, UsageError
from journeyman.registry import certificate, erasure

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers
    from journeyman.night_rebuild import Rebuild
    from journeyman.store import Store


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
    said = "check a certificate and what supplements it, and say what they certify"
    what.add_argument("--check", nargs="+", metavar="FILE", help=said)
    what.add_argument("--resume", action="store_true", help="finish erasures, and rebuilds, that were stopped")
    common.add_tenant(parser, "whose; by itself: all that this tenant has", None)
    said = "run the nights that fell anew without what was erased, and prove that nothing of it is left"
    parser.add_argument("--rebuild", action="store_true", help=said)
    said = "with --rebuild: the model that fell was made for (default: as its nights name it)"
    parser.add_argument("--model", default="", metavar="NAME_OR_DIR", help=said)
    said = "with --rebuild: more items for general ability, as for a night"
    parser.add_argument("--suite", nargs="+", action="extend", default=[], metavar="FILE", help=said)
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
        if args.resume:
            return _resume(store, args)
        if args.dry_run:
            thought, _ = erasure.plan(store, erasure.choose(store, **asked))
            return _tell(args, thought.certificate, None)
        if not args.rebuild:
            with store.lock("night"):
                done = erasure.erase(store, **asked)
            return _tell(args, done.certificate, erasure.certificate_path(store, done))
        with progress.shown(quiet=args.json) as report:
            rebuild = _rebuild(store, args, report)
            done = rebuild.erase(**asked)
            supplement = rebuild.finish(done.id) if done.service else None
        return _tell(args, done.certificate, erasure.certificate_path(store, done), supplement)


def _rebuild(store: Store, args: argparse.Namespace, report: progress.Report) -> Rebuild:
    from journeyman.night_rebuild import Rebuild

    return Rebuild(store, args.model, args.suite, report)


def _resume(store: Store, args: argparse.Namespace) -> int:
    from journeyman import night_rebuild

    with store.lock("night"):
        paths = [str(erasure.certificate_path(store, each)) for each in erasure.finish(store)]
    if args.rebuild:
        night_rebuild.ask(store, args.tenant)
    with progress.shown(quiet=args.json) as report:
        for each in night_rebuild.pending(store, args.tenant):
            _rebuild(store, args, report).finish(each.id)
            paths.append(str(night_rebuild.supplement_path(store, each)))
    said = "\n".join(paths) or "nothing was left to finish"
    print(json.dumps({"finished": paths}) if args.json else said)
    return 0


def _check(args: argparse.Namespace) -> int:
    texts: list[str] = []
    for path in args.check:
        try:
            texts.append(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read", "give the file that journeyman erase wrote") from error
    bodies = [certificate.check(text, args.signed_by) for text in texts]
    signed = [json.loads(text) for text in texts]
    _check_together(signed)
    if args.json:
        found = [
            {"valid": True, "public_key": each["public_key"], "certificate": each["certificate"]} for each in signed
        ]
        print(json.dumps(found[0] if len(found) == 1 else {"valid": True, "certificates": found}))
        return 0
    console = common.console()
    for each, body in zip(signed, bodies, strict=True):
        console.print(f"the certificate is as it was signed, with the key {each['public_key']}")
        if not args.signed_by:
            console.print("(that this is the key of whoever runs the store, they have to say; then: --signed-by KEY)")
        _show(body)
    return 0


def _check_together(signed: list[dict[str, Any]]) -> None:
    """A supplement belongs to the certificate that is given with it, or InputError."""
    certificates = {each["certificate"].get("id"): each for each in signed if "id" in each["certificate"]}
    for each in signed:
        body = each["certificate"]
        of = certificates.get(body.get("erasure"))
        if certificates and "erasure" in body:
            same = (
                of and certificate.digest(of) == body["certificate_sha256"] and of["public_key"] == each["public_key"]
            )
            if not same:
                raise InputError(
                    "the supplement is to another certificate than the one that is given with it",
                    f"give that of the erasure {body['erasure']}",
                )


def _tell(
    args: argparse.Namespace, signed: dict[str, Any], path: Path | None, supplement: dict[str, Any] | None = None
) -> int:
    """`path`: of the certificate; None: nothing has been done."""
    body = signed["certificate"] if path else signed
    if args.json:
        found = {"erased": True, "path": str(path), **signed} if path else {"erased": False, "certificate": body}
        found |= {"supplement": supplement, "supplement_path": _beside(path)} if path and supplement else {}
        print(json.dumps(found))
        return 0
    _show(body)
    console = common.console()
    console.print(f"certificate: {path}" if path else "nothing was erased: this was a dry run")
    if path and supplement:
        _show(supplement["certificate"])
        console.print(f"supplement: {_beside(path)}")
    elif path and body["adapters"]:
        console.print("what others' sessions had taught is learned anew by the next night")
    return 0


def _beside(path: Path) -> str:
    return str(path.with_suffix(".rebuilt.json"))


def _show_rebuilt(body: dict[str, Any]) -> None:
    console = common.console()
    console.print(f"rebuilt at {body['rebuilt_at']}, after the erasure {body['erasure']}")
    console.print(f"(it supplements the certificate with the SHA-256 {body['certificate_sha256']})")
    for each in body["nights"]:
        was, now = each["was"], each["now"]
        made = (
            f"adapter {now['adapter']} ({now['verdict']}) of night {now['night']}" if now else "nothing: none is left"
        )
        console.print(f"in the place of adapter {was['adapter']} of night {was['night']}: {made}")
    for each in body["service"]:
        console.print(f"in service: {each['now']} (was: {each['was']})")
    for each in body["recall"]:
        for name, what in (("erased", "what was erased"), ("kept", "what stays, held out")):
            if name in each:
                rights = {who: each[name][who] for who in ("base", "fallen", "replacement") if who in each[name]}
                said = ", ".join(f"{who} {right}" for who, right in rights.items())
                console.print(f"asked {each[name]['questions']} questions about {what}; right: {said or 'nobody'}")
        if "p_above_base" in each.get("erased", {}):
            p = each["erased"]["p_above_base"]
            console.print(f"the replacement recalls more of it than the base: exact p {p:.3f}")
        if "why" in each:
            console.print(f"the replacement was not asked: {each['why']}")


def _show(body: dict[str, Any]) -> None:
    if "erasure" in body:
        _show_rebuilt(body)
        return
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
