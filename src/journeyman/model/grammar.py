"""What a reply may be, followed token by token: JSON of a schema, or a call of a tool.

llguidance says which tokens may come next; the others are taken away before one is chosen.

Always holds: a reply that comes to its end by itself, and was not cut, is of its grammar; log-probabilities are those
of the model, as if nothing had been taken away.

Knows schemas and token ids; nothing of models.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from journeyman.errors import UsageError

# White space as json.dumps has it: a small model that may choose would choose nothing else.
_PLAIN = {"x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}


def of_schema(schema: Mapping[str, Any]) -> str:
    """A JSON value of this schema."""
    return f"start: json\n{_json('json', schema)}"


def of_call(functions: Sequence[Mapping[str, Any]], or_schema: Mapping[str, Any] | None = None) -> str:
    """One call, in the words of `tools`; or, where a schema is given too, a value of that."""
    names = [f"call_{number}" for number in range(len(functions))]
    lines = [f"start: {' | '.join([*names, *(['json'] if or_schema is not None else [])])}"]
    for name, function in zip(names, functions, strict=True):
        takes = function.get("parameters") or {"type": "object"}
        call = {"type": "object", "properties": {"name": {"const": function["name"]}, "arguments": takes}}
        whole = {**call, "required": ["name", "arguments"], "additionalProperties": False}
        lines += [f'{name}: "<tool_call>\\n" {name}_said "\\n</tool_call>"', _json(f"{name}_said", whole)]
    return "\n".join([*lines, *([_json("json", or_schema)] if or_schema is not None else [])])


def _json(rule: str, schema: Mapping[str, Any]) -> str:
    return f"{rule}: %json {json.dumps({**schema, **_PLAIN})}"


class Grammar:
    """One reply's way through a grammar."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def masked(self, logits_V: torch.Tensor) -> torch.Tensor:
        """The same, minus infinity where a token may not come next. ValueError if the grammar is beyond following."""
        bits = torch.frombuffer(bytearray(self._matcher.compute_bitmask()), dtype=torch.uint8)
        if self._matcher.is_error():
            raise ValueError(self._matcher.get_error())
        may_V = ((bits[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1).flatten().bool()[: len(logits_V)]
        return logits_V.masked_fill(~may_V.to(logits_V.device), -torch.inf)

    def take(self, token: int) -> None:
        self._matcher.consume_token(token)


class Grammars:
    """Of one tokenizer: `vocabulary` logits, any of `ends` ends a reply."""

    def __init__(self, tokenizer: Any, vocabulary: int, ends: Collection[int]) -> None:
        self._tokenizer, self._vocabulary, self._ends = tokenizer, vocabulary, sorted(ends)
        self._tokens: Any = None

    def begin(self, rules: str) -> Grammar:
        """UsageError if that is no grammar, or none that can be followed."""
        try:
            import llguidance.hf
        except ModuleNotFoundError as error:
            raise UsageError(
                "replies of a given form need llguidance", 'pip install "journeyman[serve]", or ask for any text'
            ) from error
        if self._tokens is None:  # it takes a second
            self._tokens = llguidance.hf.from_tokenizer(self._tokenizer, self._vocabulary, self._ends)
        matcher = llguidance.LLMatcher(self._tokens, llguidance.LLMatcher.grammar_from_lark(rules), log_level=0)
        if matcher.is_error():
            why = matcher.get_error().partition("\n")[0]
            raise UsageError(f"the schema cannot be followed ({why})", "correct it, or leave it out")
        return Grammar(matcher)
