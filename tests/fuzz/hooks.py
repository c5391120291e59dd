"""What schemathesis is told about the gateway, in its own process: receipts and names that exist, and two checks more.

`FUZZ_KNOWN` holds, as JSON: receipts and names (whoever's they are), and secrets: what no answer may hold.
"""

from __future__ import annotations

import json
import os
from typing import Any

import schemathesis

KNOWN = json.loads(os.environ["FUZZ_KNOWN"])


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Half of all receipts, sessions and keys are of those that there are."""
    schemas = raw_schema["components"]["schemas"]
    fields = [(schemas["Feedback"]["properties"], "receipt", "receipts")]
    fields += [(schemas["Outcome"]["properties"], name, f"{name}s") for name in ("receipt", "key")]
    for request in ("ChatRequest", "ResponsesRequest"):
        metadata = schemas[request]["properties"]["metadata"]["properties"]
        fields += [(metadata, "session_id", "sessions"), (metadata, "key", "keys")]
    for properties, name, kind in fields:
        properties[name] = {"anyOf": [{"enum": KNOWN[kind]}, properties[name]]}


@schemathesis.check
def refusals_say_what_to_do(ctx: Any, response: schemathesis.Response, case: schemathesis.Case) -> None:
    if response.status_code < 400 or (response.status_code, case.path) == (503, "/healthz"):
        return
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    what, _, remedy = error["message"].partition("; ")
    assert what
    assert remedy, error["message"]


@schemathesis.check
def nothing_of_another_tenant(ctx: Any, response: schemathesis.Response, case: schemathesis.Case) -> None:
    text = response.content + json.dumps(dict(response.headers)).encode()
    for secret in KNOWN["secrets"]:
        assert secret.encode() not in text, f"{secret} is another tenant's"
