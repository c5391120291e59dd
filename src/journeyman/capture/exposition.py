"""Counts as Prometheus reads them: text exposition format, version 0.0.4.

Always holds: a metric's type stands once, before its first value; what ends in `_total` only ever counts up.

Knows names and numbers, not what is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

Labelled = Iterable[tuple[Mapping[str, str | int], float]]


def exposition(single: Mapping[str, float], labelled: Mapping[str, Labelled]) -> bytes:
    """`single`: value by name; `labelled`: (labels, value) by name. `journeyman_` is put before each name."""
    lines: list[str] = []
    for name, values in labelled.items():
        lines.append(_kind(name))
        for labels, value in values:
            pairs = ",".join(f'{label}="{each}"' for label, each in labels.items())
            lines.append(f"journeyman_{name}{{{pairs}}} {value}")
    for name, value in single.items():
        lines += [_kind(name), f"journeyman_{name} {value}"]
    return ("\n".join(lines) + "\n").encode()


def _kind(name: str) -> str:
    return f"# TYPE journeyman_{name} {'counter' if name.endswith('_total') else 'gauge'}"
