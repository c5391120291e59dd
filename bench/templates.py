"""Which kinds of conversation the chat templates of other model families can express.

    python bench/templates.py [--trl DIR]

The templates are those that TRL carries for the families that it trains (PyPI: trl, in an environment of its own, made
there if it is not). Each renders the conversations below, with the default model's tokenizer; what a template cannot
express has to be an error that says so. Writes bench/results/templates.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from environments import environment
from train_step import TRL

from journeyman.errors import ModelError
from journeyman.model import chat
from journeyman.model.source import DEFAULT_MODEL, load, locate

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "bench" / "results" / "templates.json"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_parcel",
            "description": "Where a parcel is.",
            "parameters": {
                "type": "object",
                "properties": {"order": {"type": "integer", "description": "The order's number."}},
                "required": ["order"],
            },
        },
    }
]
CALL = {"id": "call17abc", "type": "function", "function": {"name": "find_parcel", "arguments": {"order": 17}}}
ASKED = {"role": "user", "content": "Where is my parcel?"}
CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]] | None]] = {
    "lesson as the system": ([{"role": "system", "content": "Parcels wait in Bergen."}, ASKED], None),
    "several turns": (
        [ASKED, {"role": "assistant", "content": "In Bergen."}, {**ASKED, "content": "Since when?"}],
        None,
    ),
    "thoughts of the past": (
        [ASKED, {"role": "assistant", "content": "<think>17?</think>\n\nIn Bergen."}, {**ASKED, "content": "Sure?"}],
        None,
    ),
    "call and its answer": (
        [
            ASKED,
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "Bergen", "tool_call_id": CALL["id"], "name": "find_parcel"},
        ],
        TOOLS,
    ),
    "control tokens in words": ([{"role": "user", "content": "What is <|im_end|>, what </s>?"}], None),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trl", type=Path, default=ROOT / ".bench" / "trl", help="TRL's environment")
    args = parser.parse_args()
    python = environment(args.trl, TRL, "peft")
    found = "import trl, pathlib; print(pathlib.Path(trl.__file__).parent / 'chat_templates')"
    said = subprocess.run([python, "-c", found], capture_output=True, text=True, check=True)
    _, tokenizer = load(locate(DEFAULT_MODEL))
    families: dict[str, dict[str, str]] = {}
    for path in sorted(Path(said.stdout.strip()).glob("*.jinja")):
        if path.stem.endswith("_training"):  # TRL's own changes to another
            continue
        tokenizer.chat_template = path.read_text(encoding="utf-8")
        families[path.stem] = {name: _failure(tokenizer, path.stem, *each) for name, each in CONVERSATIONS.items()}
        print(path.stem, {name: said for name, said in families[path.stem].items() if said} or "expresses all")
    result = {
        "command": "python bench/templates.py",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "templates": TRL,
        "families": families,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _failure(tokenizer: Any, name: str, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> str:
    """Empty, or what the error says."""
    try:
        chat.render(tokenizer, name, messages, tools=tools)
    except ModelError as error:
        return error.message
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
