"""`journeyman serve`: the gateway, in front of a model: the one in this process, or an engine elsewhere.

Always holds: without keys it listens on this machine only; it says where it listens before it answers; ended by Ctrl-C
or SIGTERM it finishes what is under way, and what it could not finish is kept as cut.

Knows nothing of what passes through.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from journeyman.capture import names
from journeyman.cli import common, progress
from journeyman.errors import UsageError
from journeyman.records import PURPOSES
from journeyman.store import Store, open_store, without_secrets

if TYPE_CHECKING:
    from journeyman.capture.gateway import AfterRemark
    from journeyman.capture.upstream import Backend
    from journeyman.cli.common import Subparsers

UPSTREAM_KEY = "JOURNEYMAN_UPSTREAM_KEY"
GRACE_SECONDS = 10


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "serve",
        help="stand in front of a model, and keep every session",
        description="Answer as the OpenAI API does, with a model in this process and what it has learned, or by asking"
        " an engine elsewhere, and keep every request and answer: durable before the client has the last byte.",
    )
    common.add_store(parser, "; made if it is not there")
    behind = parser.add_mutually_exclusive_group()
    common.add_model(behind)
    behind.add_argument(
        "--upstream",
        metavar="URL",
        help="instead of a model: base URL of an OpenAI-compatible engine (vLLM, SGLang, llama.cpp, Ollama, a hosted"
        f" API). Its key is read from {UPSTREAM_KEY}; without one, the client's own is passed on",
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8399, metavar="N", help="default: 8399; 0 chooses a free one")
    parser.add_argument(
        "--timeout",
        type=common.positive,
        default=600.0,
        metavar="SECONDS",
        help="for the next byte of the engine at --upstream (default: 600)",
    )
    parser.add_argument(
        "--limit", type=common.count, default=16 << 20, metavar="BYTES", help="of a request (default: 16 MiB)"
    )
    parser.add_argument(
        "--at-once", type=common.count, default=256, metavar="N", help="requests under way (default: 256)"
    )
    parser.add_argument(
        "--probe",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="ask the engine at --upstream two short questions at the start, to tell what it returns (default: do)",
    )
    parser.add_argument(
        "--rows", type=common.count, default=64, metavar="N", help="answers that the model makes at once (default: 64)"
    )
    parser.add_argument(
        "--memory",
        type=common.positive,
        default=4.0,
        metavar="GIB",
        help="for the keys and values of the answers that the model makes; who has no room waits (default: 4)",
    )
    parser.add_argument(
        "--shadow",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="of the sessions after a promotion, this share is still answered by what served before; a champion that"
        " is shown to do harm by comparison is rolled back (default: 0, at most 0.5)",
    )
    parser.add_argument(
        "--purposes",
        default=",".join(PURPOSES),
        metavar="LIST",
        help="what sessions may be used for where a request does not say (default: all of it)",
    )
    common.add_redact(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def _share(word: str) -> float:
    try:
        share = float(word)
    except ValueError:
        share = -1.0
    from journeyman.registry.shadow import LEAST, MOST

    if share and not LEAST <= share <= MOST:
        raise argparse.ArgumentTypeError(f"{word!r} is not a share from {LEAST} to {MOST}, nor 0")
    return share


def run(args: argparse.Namespace) -> int:
    loopback, purposes = _on_this_machine(args), names.purposes(args.purposes)
    from journeyman.capture.redaction import asked_for

    redaction = asked_for(args.redact)
    import uvicorn

    from journeyman.capture.gateway import LOOPBACK, Gateway, Limits
    from journeyman.capture.recorder import Recorder
    from journeyman.capture.replies import of_stream

    with ExitStack() as stack:
        store = stack.enter_context(open_store(args.store))
        if not loopback and not store.all_keys():
            raise UsageError(
                f"without keys, anybody who reaches {args.host} could use the model",
                f"journeyman keys add TENANT --store {without_secrets(args.store)}",
            )
        stack.enter_context(store.lock("serve"))
        if cut := store.cut_open_exchanges(lambda response: of_stream(response).message):
            print(f"{cut} answers that an earlier server did not finish are kept as cut", file=sys.stderr)
        reader = stack.enter_context(open_store(args.store))
        backend = _backend(args, reader)
        gateway = Gateway(
            backend,
            Recorder(store),
            reader,
            purposes=purposes,
            limits=Limits(args.limit, args.at_once),
            hosts={*LOOPBACK, args.host},
            redaction=redaction,
            after_remark=None if args.upstream else _rolling_back(backend),
        )
        config = uvicorn.Config(
            gateway,  # type: ignore[arg-type]  # scopes as plain mappings
            host=args.host,
            port=args.port,
            log_level="error",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            lifespan="on",
            ws="none",
            proxy_headers=False,
        )
        return _Server(config, args).serve_until_told()


def _backend(args: argparse.Namespace, reader: Store) -> Backend:
    """What answers: the engine at --upstream, or the model."""
    if args.upstream:
        from journeyman.capture.upstream import Upstream

        return Upstream(args.upstream, os.environ.get(UPSTREAM_KEY, ""), args.timeout, probed=args.probe)
    with progress.shown(quiet=True) as report:
        report(f"load {args.model}", 0.0)
        from journeyman.model import load_engine
        from journeyman.serving.embedded import Embedded

        return Embedded(load_engine(args.model), reader, args.rows, int(args.memory * (1 << 30)), args.shadow)


def _rolling_back(backend: Any) -> AfterRemark:
    """After each remark: whether the tenant's champion, or who is on trial, has to go."""
    from journeyman.registry import shadow

    base: str = backend.engine.fingerprint

    def after(reader: Store, tenant: str) -> Callable[[Store], None] | None:
        found = shadow.harm(reader, base, tenant)
        if found is None:
            return None

        def roll_back(store: Store) -> None:
            if entry := shadow.roll_back(store, base, tenant, found):
                what = f"{shadow.ended(entry.evidence)}; {entry.hash or 'the base'} serves"
                print(f"{what}: {shadow.said(entry.evidence)}", file=sys.stderr, flush=True)

        return roll_back

    return after


def _on_this_machine(args: argparse.Namespace) -> bool:
    """Whether it will listen on this machine only; UsageError if it cannot mean what it says."""
    if args.upstream and args.shadow:
        raise UsageError("--shadow is for the model in this process: an engine has its own adapters", "leave it out")
    if not 0 <= args.port < 1 << 16:
        raise UsageError(f"{args.port} is no port", "give a number from 0 to 65535")
    if args.upstream and not _is_address(args.upstream):
        raise UsageError(f"{args.upstream!r} is no address of an engine", "give --upstream http://127.0.0.1:8000/v1")
    try:
        loopback = ipaddress.ip_address(args.host).is_loopback
    except ValueError:
        loopback = args.host == "localhost"
    return loopback


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half a bracket, or a port that is none
        return False


class _Server:
    """uvicorn, told where it listens and how it ends."""

    def __init__(self, config: object, args: argparse.Namespace) -> None:
        import uvicorn

        said = self._said

        class Server(uvicorn.Server):
            async def startup(self, sockets: list | None = None) -> None:  # type: ignore[override]
                await super().startup(sockets)
                if self.started:
                    said(self.servers[0].sockets[0].getsockname())

        self.args, self.server = args, Server(config)  # type: ignore[arg-type]

    def _said(self, address: tuple[str, int]) -> None:
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        url = f"http://{host}:{address[1]}/v1"
        store = without_secrets(self.args.store)
        behind = f"asking {self.args.upstream}" if self.args.upstream else f"serving {self.args.model}"
        print(f"listening on {url}, {behind}, keeping in {store}", file=sys.stderr)
        if self.args.json:
            import json

            print(json.dumps({"url": url, "store": store, "pid": os.getpid()}), flush=True)

    def serve_until_told(self) -> int:
        try:
            self.server.run()
        except KeyboardInterrupt:  # it has ended in order, and raised what ended it
            return 0
        except SystemExit as error:  # uvicorn has said why
            raise UsageError(
                f"cannot listen on {self.args.host}:{self.args.port}", "choose another --port, or 0 for a free one"
            ) from error
        return 0
