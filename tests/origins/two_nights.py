"""What a line of two nights is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from journeyman.model.transformers_engine import TransformersEngine


@dataclass(frozen=True)
class Line:
    """The store, the model, and the adapters of two nights: the first learnt Ada and oak, the second grey."""

    path: Path
    model: Path
    engine: TransformersEngine
    one: str
    two: str
