"""The adapters of one store: content-addressed directories in PEFT's format, each with its lineage.

Always holds: `path(hash)` is complete once it exists, since it is renamed into place; the same weights of a tenant have
the same hash, whoever made them and wherever they lie; those of two tenants never have.

Knows nothing of verdicts: which adapter is in service is the store's to say.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from journeyman.capture import conversations
from journeyman.capture.conversations import Conversation
from journeyman.errors import AdapterError
from journeyman.records import AdapterRecord, Purpose
from journeyman.store import Store
from journeyman.world.directory import flushed

LINEAGE = "lineage.json"
LEARNING: tuple[Purpose, ...] = ("train", "dream")  # what a night uses a session for
WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


class AdapterDirectory:
    """`root/<hash>` holds the adapter with that hash."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def beside(cls, store: Store) -> Self:
        """That of a store: the two move together."""
        return cls(store.folder / "adapters")

    def path(self, hash: str) -> Path:
        return self.root / hash

    def add(self, write: Callable[[Path], None], lineage: Mapping[str, Any]) -> str:
        """Let `write` put the adapter's files into an empty directory, and keep it; returns its hash.

        An adapter that is there already is left as it is, lineage included.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=self.root, prefix=".new-"))
        try:
            write(scratch)
            hash = content_hash(scratch, lineage.get("tenant", ""))
            if not self.path(hash).exists():
                (scratch / LINEAGE).write_text(
                    json.dumps({"adapter": hash, **lineage}, indent=2, sort_keys=True, ensure_ascii=False) + "\n",
                    encoding="utf-8",
                )
                for file in scratch.iterdir():
                    flushed(file)
                scratch.chmod(0o755)
                scratch.rename(self.path(hash))
                flushed(self.root)
            return hash
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def lineage(self, hash: str) -> dict[str, Any]:
        """What an adapter was made of; AdapterError if its files are gone or damaged."""
        try:
            return json.loads((self.path(hash) / LINEAGE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AdapterError(
                f"adapter {hash} is in the store, but its lineage cannot be read from {self.path(hash)}",
                f"put the adapter's directory back, beside the store in {self.root}",
            ) from error

    def verify(self, record: AdapterRecord) -> None:
        """AdapterError unless a server would find the adapter as it was made, to the byte."""
        self.lineage(record.hash)
        try:
            whole = content_hash(self.path(record.hash), record.tenant) == record.hash
        except (OSError, ValueError):
            whole = False
        if not whole:
            raise AdapterError(
                f"adapter {record.hash} is in the store, but its files in {self.path(record.hash)} are gone or changed",
                "put the adapter's directory back as it was, from a backup, or serve another one",
            )

    def sweep(self) -> None:
        """Remove what a killed process left half written. Call it only while holding the store's lock."""
        for leftover in self.root.glob(".new-*"):
            shutil.rmtree(leftover, ignore_errors=True)


def content_hash(directory: Path, tenant: str = "") -> str:
    """Hash of an adapter's weights, of the settings that decide what they compute, and of whose they are: equal weights
    that two tenants arrived at are two adapters, each with its own lineage."""
    settings = json.loads((directory / CONFIG).read_text())
    # Where the base lies on this machine does not change what the adapter is.
    settings.pop("base_model_name_or_path", None)
    state = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    state.update((directory / WEIGHTS).read_bytes())
    if tenant:
        state.update(hashlib.sha256(tenant.encode()).digest())
    return state.hexdigest()[:16]


def resolve(store: Store, base: str, name: str, tenant: str = "") -> AdapterRecord | None:
    """The tenant's adapter called "champion", "base" (None) or by a prefix of its hash; None too if there is no
    champion."""
    if name == "base":
        return None
    if name == "champion":
        return store.champion(base, tenant)
    return there(store.adapter(name, tenant))


def there(record: AdapterRecord) -> AdapterRecord:
    """The same; AdapterError if it was withdrawn, and its weights are gone."""
    if record.withdrawn_at:
        raise AdapterError(
            f"adapter {record.hash} was withdrawn at {record.withdrawn_at}: it learned from what was erased",
            "choose another one: journeyman adapters list",
        )
    return record


def pick_sessions(
    store: Store,
    adapters: AdapterDirectory,
    base: str,
    tenant: str = "",
    only: Collection[str] = (),
    kept: Sequence[Conversation] | None = None,
) -> tuple[list[Conversation], AdapterRecord | None]:
    """The tenant's sessions that its champion has not learnt (if all of `only` are among them, these alone), and its
    champion as the round's start. `kept`: all that may be learnt from, where they have been read already.

    Where all are learnt, the night that learnt the last of them is taken up again, from its own start: with its seed
    it returns what it found, with another it is a second try at the same sessions.
    """
    champion = store.champion(base, tenant)
    known = learnt(store, adapters, champion, tenant)
    kept = conversations.kept(store, *LEARNING, tenant=tenant) if kept is None else kept
    new = [each for each in kept if each.session.id not in known]
    if only and set(only) <= {each.session.id for each in new}:
        new = [each for each in new if each.session.id in only]
    if new or champion is None:
        return new, champion
    last = adapters.lineage(champion.hash)
    read = set(last["sessions"])
    again = [each for each in kept if each.session.id in read]
    return again, store.adapter(last["parent"], tenant) if last["parent"] else None


def learnt(store: Store, adapters: AdapterDirectory, adapter: AdapterRecord | None, tenant: str = "") -> set[str]:
    """The ids of the sessions that an adapter (None: the base) and all before it in its line have learned from."""
    found: set[str] = set()
    while adapter:
        lineage = adapters.lineage(adapter.hash)
        found |= set(lineage["sessions"])
        adapter = store.adapter(lineage["parent"], tenant) if lineage["parent"] else None
    return found


def versions() -> dict[str, str]:
    """The programs that an adapter's bits depend on."""
    packages = ("journeyman", "torch", "transformers", "safetensors")
    return {name: version(name) for name in packages} | {"python": platform.python_version()}
