"""An adapter for use elsewhere: as PEFT loads it, or merged into its base.

Always holds: the target appears whole or not at all; what is exported holds no lineage, so that it names no session.

Knows the registry's directories; what merging does is the model's to know.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Literal

from journeyman.errors import AdapterError, UsageError
from journeyman.model.source import fingerprint, locate
from journeyman.records import AdapterRecord
from journeyman.registry.adapters import CONFIG, WEIGHTS, AdapterDirectory
from journeyman.store import Store

Format = Literal["peft", "merged"]
FORMATS: tuple[Format, ...] = ("peft", "merged")


def export(store: Store, record: AdapterRecord, into: Path, format: Format = "peft", model: str = "") -> Path:
    """Write the adapter to the directory `into`, which is new or empty; `model`: its base, for "merged" (default: the
    one that its night names)."""
    directory = AdapterDirectory.beside(store)
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise UsageError(f"{into} is there already, and not an empty directory", "give the name of a new one")
    model = model or directory.lineage(record.hash).get("model", "")
    into.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=into.parent, prefix=f".{into.name}-"))
    try:
        if format == "peft":
            for name in (CONFIG, WEIGHTS):
                shutil.copyfile(directory.path(record.hash) / name, scratch / name)
        else:
            from journeyman.model.merging import merge

            found = locate(model)
            if fingerprint(found) != record.base:
                raise AdapterError(
                    f"adapter {record.hash} was made for another model than {model}",
                    "name the model it was made for with --model",
                )
            merge(found, directory.path(record.hash), scratch)
        scratch.chmod(0o755)
        scratch.replace(into)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return into
