"""`journeyman keys`: who may ask the gateway.

Always holds: a secret is printed once, when it is made.

Knows nothing of requests.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from rich.table import Table

from journeyman.capture import keys
from journeyman.cli import common
from journeyman.records import KEY_ROLES, PURPOSES, TENANT_ROLES
from journeyman.store import open_store

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "keys",
        help="who may ask the gateway",
        description="Make, list and revoke keys. A store with keys is served to those who have one, and to no other.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    adding = actions.add_parser("add", help="a new key; its secret is printed once")
    adding.add_argument("tenant", metavar="TENANT", help="whose it is: tenants see nothing of each other")
    adding.add_argument(
        "--role",
        action="append",
        choices=KEY_ROLES,
        help="may be given again (default: serve and feedback; admin sees the counters of all tenants)",
    )
    adding.add_argument("--purpose", action="append", choices=PURPOSES, help="what its sessions may be used for")
    listing = actions.add_parser("list", help="all that were made, without their secrets")
    revoking = actions.add_parser("revoke", help="take one out of force")
    revoking.add_argument("key", metavar="HASH", help="the beginning of its hash, as the list shows it")
    for action, run in ((adding, _add), (listing, _list), (revoking, _revoke)):
        common.add_store(action)
        common.add_json(action)
        action.set_defaults(run=run)


def _add(args: argparse.Namespace) -> int:
    with open_store(args.store) as store:
        secret, key = keys.issue(store, args.tenant, args.role or TENANT_ROLES, args.purpose or PURPOSES)
    if args.json:
        print(json.dumps({"key": secret, **key.to_json()}))
    else:
        print(secret)
        print(f"(for {args.tenant}; it is not shown again. Its hash begins {key.hash[:12]})", file=sys.stderr)
    return 0


def _list(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        found = store.all_keys()
    if args.json:
        print(json.dumps({"keys": [key.to_json() for key in found]}))
        return 0
    named = (
        common.whole("hash", (key.hash[:12] for key in found)),
        common.whole("tenant", (key.tenant for key in found)),
    )
    table = Table(*named, "roles", "purposes", "made", "revoked", box=None)
    for key in found:
        table.add_row(
            key.hash[:12], key.tenant, ", ".join(key.roles), ", ".join(key.purposes), key.created_at, key.revoked_at
        )
    if found:
        common.show(table)
    else:
        common.console().print("there are no keys: the gateway answers whoever is on this machine")
    return 0


def _revoke(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        key = keys.revoke(store, args.key)
    if args.json:
        print(json.dumps({"revoked": key.hash}))
    else:
        common.console().print(f"revoked the key {key.hash[:12]} of {key.tenant}")
    return 0
