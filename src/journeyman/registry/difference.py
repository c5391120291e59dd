"""What lies between two adapters: what they learned from, what their nights measured, and how far their weights are.

Always holds: a distance is that of the updates themselves, the products s B A, whatever their ranks; the base is an
adapter that adds nothing.

Knows files of weights, and lineages; no engine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journeyman.errors import AdapterError
from journeyman.records import AdapterRecord
from journeyman.registry.adapters import CONFIG, WEIGHTS, AdapterDirectory
from journeyman.registry.lineage import Lineages
from journeyman.store import Store

if TYPE_CHECKING:
    from numpy import ndarray

    Pair = tuple[ndarray, ndarray]  # A [r, in], s B [out, r]


def compare(store: Store, one: AdapterRecord | None, other: AdapterRecord | None, tenant: str = "") -> dict[str, Any]:
    """None is the base. Of each side what the other has not; and of the weights, layers by kind, see `distance`."""
    lineages, directory = Lineages(store, tenant), AdapterDirectory.beside(store)
    if one and other and one.base != other.base:
        raise AdapterError(
            f"adapters {one.hash} and {other.hash} were made for two bases", "compare adapters of one base"
        )
    sides = [_side(lineages, each) for each in (one, other)]
    pairs = [_pairs(directory.path(each.hash)) if each else {} for each in (one, other)]
    left, right = sides
    return {
        "one": {**left["named"], **_without(left, right)},
        "other": {**right["named"], **_without(right, left)},
        "options": {
            name: [left["options"].get(name), right["options"].get(name)]
            for name in sorted({*left["options"], *right["options"]})
            if left["options"].get(name) != right["options"].get(name)
        },
        "weights": distance(*pairs),
    }


def distance(one: Mapping[str, Pair], other: Mapping[str, Pair]) -> dict[str, Any]:
    """Frobenius norms of two updates and of their difference, summed over layers, and the cosine between them (None
    where one of them is nothing); `layers`: the norm of the difference by kind of layer."""
    total = [0.0, 0.0, 0.0]
    kinds: dict[str, float] = {}
    for name in sorted({*one, *other}):
        a, b = one.get(name), other.get(name)
        terms = [_inner(a, a), _inner(a, b), _inner(b, b)]
        total = [sum(pair) for pair in zip(total, terms, strict=True)]
        kind = name.rpartition(".")[2]
        kinds[kind] = kinds.get(kind, 0.0) + max(0.0, terms[0] - 2 * terms[1] + terms[2])
    aa, ab, bb = total
    return {
        "one": math.sqrt(aa),
        "other": math.sqrt(bb),
        "difference": math.sqrt(max(0.0, aa - 2 * ab + bb)),
        "cosine": ab / math.sqrt(aa * bb) if aa and bb else None,
        "layers": {kind: math.sqrt(value) for kind, value in kinds.items()},
    }


def _inner(one: Pair | None, other: Pair | None) -> float:
    """<B A, B' A'> = tr((A' A^T) (B^T B')), without either product of the size of a layer."""
    if one is None or other is None:
        return 0.0
    (A_RI, B_OR), (A_SI, B_OS) = one, other
    return float(((A_RI @ A_SI.T) * (B_OR.T @ B_OS)).sum())


def _pairs(directory: Path) -> dict[str, Pair]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(directory / WEIGHTS)
        settings = json.loads((directory / CONFIG).read_text())
        scale = settings["lora_alpha"] / settings["r"]
        return {
            name.removesuffix(".lora_A.weight"): (
                tensors[name].astype("float64"),
                scale * tensors[name.replace(".lora_A.", ".lora_B.")].astype("float64"),
            )
            for name in tensors
            if name.endswith(".lora_A.weight")
        }
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise AdapterError(
            f"the weights in {directory} cannot be read ({error})", "put the adapter's directory back from a backup"
        ) from error


def _side(lineages: Lineages, record: AdapterRecord | None) -> dict[str, Any]:
    if record is None:
        named = {"hash": "base", "night": None, "verdict": None, "measured": {}}
        return {"named": named, "sessions": [], "lessons": {}, "options": {}}
    line = lineages.of(record.hash)
    night = lineages.night(record.night_id)
    named = {
        "hash": record.hash,
        "night": record.night_id,
        "verdict": record.verdict,
        "measured": measured(night.result if night and night.result else {}),
    }
    return {
        "named": named,
        "sessions": [id for making in reversed(line) for id in making.sessions],
        "lessons": {lesson.id: lesson.text for making in reversed(line) for lesson in making.lessons},
        "options": {**(night.spec.get("options", {}) if night else {}), "seed": night.spec.get("seed") if night else 0},
    }


def measured(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a night measured of its candidate: shares before and after."""
    found = {name: result[name] for name in ("heldout", "general", "probes") if isinstance(result.get(name), Mapping)}
    return {
        name: {"before": value.get("before"), "after": value.get("after"), "n": value.get("n")}
        for name, value in found.items()
    }


def _without(mine: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sessions": [id for id in mine["sessions"] if id not in others["sessions"]],
        "lessons": {id: text for id, text in mine["lessons"].items() if id not in others["lessons"]},
    }
