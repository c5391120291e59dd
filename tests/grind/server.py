"""A real MCP server, as small as one can be: a counter, whose answers may hold the process's own number."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

count = 0
TOOLS = [
    {
        "name": "add",
        "inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    },
    {"name": "read", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
]


def answer(method: str, params: dict[str, Any]) -> Any:
    global count
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {}}
    if method == "tools/list":
        return {"tools": TOOLS}
    if params["name"] == "add":
        count += params["arguments"]["n"]
    text = f"{count} {os.getpid()}" if "--leaky" in sys.argv else str(count)
    return {"content": [{"type": "text", "text": text}]}


for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        reply = {"jsonrpc": "2.0", "id": asked["id"], "result": answer(asked["method"], asked.get("params", {}))}
        print(json.dumps(reply), flush=True)
