"""Values that fit a JSON schema, drawn by chance: arguments for tools, and actions for servers that publish a schema.

Always holds: the same schema and chance give the same value; what a schema does not say is left out.

Knows the parts of JSON Schema that tools use (type, properties, required, enum, const, anyOf, oneOf, items, minimum,
maximum, $ref). Runs within the environment's own interpreter, and needs nothing but Python (3.10 or newer).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

WORDS = ("alpha", "beta", "gamma", "1", "2", "id-1", "true", "2026-01-01", "a@b.example", "")


def drawn(
    schema: Mapping[str, Any], chance: random.Random, root: Mapping[str, Any] | None = None, deep: int = 0
) -> Any:
    """A value of that schema. Of properties, the required ones and half of the others."""
    root = schema if root is None else root
    if "$ref" in schema:
        found: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found.get(part, {}) if isinstance(found, Mapping) else {}
        return drawn(found, chance, root, deep + 1) if deep < 20 else None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return chance.choice(list(schema["enum"]))
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return drawn(chance.choice(list(schema[choice])), chance, root, deep + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = chance.choice(kind)
    if kind == "object":
        needed = set(schema.get("required", ()))
        return {
            name: drawn(each, chance, root, deep + 1)
            for name, each in schema.get("properties", {}).items()
            if name in needed or (deep < 8 and chance.random() < 0.5)
        }
    if kind == "array":
        least = int(schema.get("minItems", 0))
        length = chance.randint(least, max(least, 2)) if deep < 8 else least
        return [drawn(schema.get("items", {}), chance, root, deep + 1) for _ in range(length)]
    if kind == "integer":
        return chance.randint(int(schema.get("minimum", 0)), int(schema.get("maximum", 9)))
    if kind == "number":
        return round(chance.uniform(float(schema.get("minimum", 0)), float(schema.get("maximum", 9))), 3)
    if kind == "boolean":
        return chance.random() < 0.5
    return None if kind == "null" else chance.choice(WORDS)
