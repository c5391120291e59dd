"""Redaction hooks, as a user may write them."""

from __future__ import annotations


def colours(text: str) -> list[tuple[int, int, str]]:
    return [(at, at + 6, "colour") for at in range(len(text)) if text.startswith("orange", at)]


def broken(text: str) -> list[tuple[int, int, str]]:
    raise ValueError(f"I saw {text}")


def broken_by_answers(text: str) -> list[tuple[int, int, str]]:
    if "finish_reason" in text or "stop" in text:
        raise ValueError(f"I saw {text}")
    return []
