"""What several commands share: their common options, and the model with the adapter that was asked for.

Always holds: a store that is only read is never created; what is wrong with the request is found before a model is
loaded, as far as it can be.

Knows nothing of what a command does with them.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

from journeyman.capture import names
from journeyman.errors import AdapterError, UsageError
from journeyman.model.source import DEFAULT_MODEL
from journeyman.morning import write_whole as write_whole
from journeyman.store import Store, open_store

if TYPE_CHECKING:
    from journeyman.model.transformers_engine import TransformersEngine
    from journeyman.records import AdapterRecord

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_WIDEST = 1 << 14
DEFAULT_STORE = "journeyman.db"


def add_store(parser: argparse.ArgumentParser, note: str = "") -> None:
    said = f"the store{note}: a file, or postgresql://USER@HOST/DATABASE (default: {DEFAULT_STORE} in this directory)"
    parser.add_argument("--store", default=DEFAULT_STORE, metavar="FILE_OR_URL", help=said)


def add_tenant(parser: argparse._ActionsContainer, said: str, default: str | None = "") -> None:
    """`default`: "" is the store's own, None all of them."""
    parser.add_argument("--tenant", type=_tenant, default=default, metavar="NAME", help=said)


def _tenant(word: str) -> str:
    return names.name("tenant", word)


def add_model(parser: argparse._ActionsContainer) -> None:
    said = f"a directory or hub name of a transformers chat model (default: {DEFAULT_MODEL})"
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME_OR_DIR", help=said)


def add_adapter(parser: argparse.ArgumentParser) -> None:
    said = "champion (the one in service, the default), base (none), or the beginning of an adapter's hash"
    parser.add_argument("--adapter", default="champion", metavar="champion|base|HASH", help=said)


def add_question(parser: argparse.ArgumentParser, whose: str) -> None:
    """What to ask, and of whom: of a model with an adapter of a store; `whose` is the adapter."""
    parser.add_argument("question", metavar="QUESTION", type=_question, help="the question, in quotes")
    add_store(parser)
    add_tenant(parser, f"{whose} (default: the store's own)")
    add_model(parser)
    add_adapter(parser)
    add_json(parser)


def _question(words: str) -> str:
    if not words.strip():
        raise UsageError("the question is empty", 'ask one, in quotes: "What is my first name?"')
    return words


def add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="the seed of all that is random (default: 0)")


def add_redact(parser: argparse.ArgumentParser) -> None:
    said = (
        "what to take out of what is kept: default (secrets, card numbers, e-mail addresses), none, or a hook of yours"
    )
    parser.add_argument("--redact", default="default", metavar="default|none|MODULE:FUNCTION", help=said)


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _bounded(convert: Callable[[str], float], good: Callable[[float], bool], what: str) -> Callable[[str], float]:
    def read(word: str) -> float:
        with suppress(ValueError):
            if good(value := convert(word)):
                return value
        raise argparse.ArgumentTypeError(f"{word!r} is not {what}")

    return read


seed = _bounded(int, lambda value: 0 <= value < 2**63, "a whole number from 0")
count = _bounded(int, lambda value: value > 0, "a whole number from 1")
natural = _bounded(int, lambda value: value >= 0, "a whole number from 0")
positive = _bounded(float, lambda value: 0 < value < math.inf, "a number above 0")


def console() -> Console:
    """Where results for a person go; nothing in a text is taken for markup."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def whole(header: str, values: Iterable[str]) -> Column:
    """A column of what is typed into other commands, such as ids: no terminal is so narrow that they are cut."""
    return Column(header, no_wrap=True, min_width=max(map(cell_len, (header, *values))))


def show(table: Table) -> None:
    """Print it; where the terminal is too narrow for what has to be whole, in longer lines."""
    out = console()
    least = Measurement.get(out, out.options.update(max_width=_WIDEST), table).minimum
    out.width = max(out.width, least)
    out.print(table)


def program() -> str:
    """How this program is called from here: by its name where the shell finds it, else by its path."""
    called = Path(sys.argv[0])
    if called.name != "journeyman" or shutil.which("journeyman"):
        return "journeyman"
    return shlex.quote(os.path.relpath(called))


def existing_store(url: str) -> Store:
    return open_store(url, create=False)


@dataclass(frozen=True)
class Speaker:
    """A loaded model and the adapter it speaks with: its name in the engine, and its record; None is the base."""

    engine: TransformersEngine
    adapter: str | None = None
    record: AdapterRecord | None = None


def speaker(model: str, store: Store | None, name: str, tenant: str = "") -> Speaker:
    """Load `model` and the tenant's adapter called `name`; without a store there is only the base."""
    from journeyman.model import load_engine
    from journeyman.registry.adapters import AdapterDirectory, resolve

    if store is not None and name not in ("champion", "base"):
        store.adapter(name, tenant)  # an unknown name is known now; the model takes its time
    engine = load_engine(model)
    if store is None or (record := resolve(store, engine.fingerprint, name, tenant)) is None:
        return Speaker(engine)
    if record.base != engine.fingerprint:
        raise AdapterError(
            f"adapter {record.hash} was made for another model than {model}",
            "name the model it was made for with --model",
        )
    path = AdapterDirectory.beside(store).path(record.hash)
    try:
        return Speaker(engine, engine.load_adapter(path), record)
    except AdapterError as error:
        if path.is_dir():
            raise
        raise AdapterError(
            f"adapter {record.hash} is in the store, but its files are not at {path}",
            f"put {path.parents[1]} back beside the store, or ask the bare model: --adapter base",
        ) from error
