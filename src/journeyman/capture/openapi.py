"""The gateway's addresses, described for programs: OpenAPI 3.1, served at GET /openapi.json.

What passes through is described as far as the gateway itself reads it; the rest is the engine's to judge.

Always holds: what the description allows the gateway does not refuse, and what it forbids the gateway does
(`tests/fuzz` asks it all that the description makes possible); every address is in it and no other.

Knows what is checked where (`names`, `remarks`), and takes its bounds from there; nothing of how requests are answered.
"""

from __future__ import annotations

import json
from typing import Any

from journeyman.capture import names, remarks
from journeyman.capture.relay import RECEIPT_HEADER, SESSION_HEADER
from journeyman.records import PURPOSES

Schema = dict[str, Any]

PURPOSES_HEADER = "x-journeyman-purposes"
KEY_HEADER = "x-journeyman-key"
RETRY_HEADER = "x-stainless-retry-count"


def _all_of(**properties: Schema) -> Schema:
    """An object with all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


_PURPOSE = f"({'|'.join(PURPOSES)})"
_NAMING: dict[str, tuple[str, Schema]] = {
    SESSION_HEADER: ("The session that this goes on with, where the client knows better.", names.HEADER_SCHEMA),
    KEY_HEADER: ("The caller's own key, which an outcome may name later.", names.HEADER_SCHEMA),
    PURPOSES_HEADER: (
        "What the session may be used for, with commas between; left out: all that the key and the server allow.",
        {"type": "string", "pattern": f"^ *{_PURPOSE}? *(, *{_PURPOSE}? *)*$"},
    ),
    RETRY_HEADER: (
        "Not 0: the client asks again for what it got no answer to, as OpenAI's SDKs do.",
        {"type": "string"},
    ),
}
_METADATA: Schema = {
    "description": "The engine gets it too. A header of the same meaning comes first.",
    "properties": {"session_id": names.SCHEMA, "key": names.SCHEMA},
}
_USER: Schema = {"type": ["string", "null"], "description": "What is no name is kept as the beginning of one."}
_SCHEMAS: dict[str, Schema] = {
    "ChatRequest": {
        "type": "object",
        "description": "As OpenAI's chat completions; what is not named here is for the engine alone.",
        "required": ["messages"],
        "properties": {
            "messages": {"type": "array"},
            "stream": {"description": "true: server-sent events."},
            "user": _USER,
            "metadata": _METADATA,
        },
    },
    "ResponsesRequest": {
        "type": "object",
        "description": "As OpenAI's responses, where the engine has them.",
        "properties": {
            "input": {},
            "previous_response_id": {"description": "With keys: of a response of the tenant's own."},
            "conversation": {"description": "With keys: refused, since it may be another tenant's."},
            "user": _USER,
            "metadata": _METADATA,
        },
    },
    "Feedback": remarks.FEEDBACK_SCHEMA,
    "Outcome": remarks.OUTCOME_SCHEMA,
    "Mark": _all_of(receipt={"type": "string"}, session={"type": "string"}),
    "Answer": {
        "description": "What the engine answered; in an object, and in a stream's first event, with one field more.",
        "required": ["journeyman"],  # of an object; OpenAPI 3.1 says nothing here of other values
        "properties": {"journeyman": {"$ref": "#/components/schemas/Mark"}},
    },
    "Kept": _all_of(id={"type": "string"}, new={"type": "boolean"}),
    "Health": _all_of(status={"type": "string"}, under_way={"type": "integer", "minimum": 0}),
    "Error": {
        "description": "As OpenAI's errors. The message says what is wrong and, after a semicolon, what to do.",
        **_all_of(
            error=_all_of(
                message={"type": "string", "pattern": "; "},
                type={"enum": ["invalid_request_error", "server_error"]},
                param={"type": "null"},
                code={"type": "null"},
            )
        ),
    },
}
_REFUSALS = {
    "400": "It cannot be understood, or not be kept.",
    "401": "This server answers only those who have a key.",
    "403": "The key has not the role for this; or there are no keys, and the page that asks is not this machine's.",
    "404": "The tenant has no answer with this receipt, or no response of this name.",
    "408": "It did not come to its end in time.",
    "413": "It is larger than the server takes.",
    "502": "The engine cannot be reached, broke off its answer, or did not end it.",
    "503": "The store cannot be written, the server is ending, or too many requests are under way.",
    "504": "The engine did not answer in time.",
}
_ALWAYS = ("401", "403", "408", "413")
_ENGINE = {"default": {"description": "What the engine answered instead, as it was."}}


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Journeyman",
            "version": "1",
            "description": "A gateway in front of a model that keeps every session.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # A store without keys asks for none.
        "security": [{"key": []}, {}],
        "paths": {
            "/v1/chat/completions": {"post": _relayed("chat", "Ask the model; kept.", "ChatRequest")},
            "/v1/responses": {"post": _relayed("responses", "The same in the newer way.", "ResponsesRequest")},
            "/v1/models": {
                "get": {
                    "operationId": "models",
                    "summary": "The engine's models.",
                    "responses": {"200": _json("As the engine says.", {}), **_refusals("502", "503", "504"), **_ENGINE},
                }
            },
            "/v1/feedback": {"post": _remark("feedback", "Say what an answer was worth.", "Feedback")},
            "/v1/outcomes": {"post": _remark("outcome", "Say what finally happened.", "Outcome")},
            "/healthz": {
                "get": {
                    "operationId": "health",
                    "summary": "Whether everything can be written. Anybody may ask.",
                    "security": [{}],
                    "responses": {
                        "200": _json("It can.", _ref("Health")),
                        **_refusals("408", "413", of_a_page=True),
                        "503": _json("It cannot.", _ref("Health")),
                    },
                }
            },
            "/metrics": {
                "get": {
                    "operationId": "metrics",
                    "summary": "Counters for Prometheus, for the role admin.",
                    "responses": {
                        "200": {
                            "description": "Text.",
                            "content": {"text/plain; version=0.0.4; charset=utf-8": {"schema": {"type": "string"}}},
                        },
                        **_refusals("503"),
                    },
                }
            },
            "/openapi.json": {
                "get": {
                    "operationId": "description",
                    "summary": "This. Anybody may ask.",
                    "security": [{}],
                    "responses": {"200": _json("This.", {"type": "object"}), **_refusals("408", "413", of_a_page=True)},
                }
            },
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "journeyman keys add TENANT"}
            },
        },
    }


def body() -> bytes:
    return json.dumps(document(), indent=1).encode()


def _relayed(operation: str, summary: str, request: str) -> Schema:
    named = {name: {"schema": {"type": "string"}, "required": True} for name in (RECEIPT_HEADER, SESSION_HEADER)}
    answer = {"application/json": {"schema": _ref("Answer")}, "text/event-stream": {}}
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": [
            {"name": name, "in": "header", "description": what, "schema": schema}
            for name, (what, schema) in _NAMING.items()
        ],
        "requestBody": _body(request),
        "responses": {
            "200": {"description": "The engine's answer, and its receipt.", "headers": named, "content": answer},
            **_refusals("400", *(("404",) if operation == "responses" else ()), "502", "503", "504"),
            **_ENGINE,
        },
    }


def _remark(operation: str, summary: str, request: str) -> Schema:
    return {
        "operationId": operation,
        "summary": f"{summary} For the role feedback.",
        "requestBody": _body(request),
        "responses": {
            "200": _json("It is kept; new is false if it was before.", _ref("Kept")),
            **_refusals("400", "404", "503"),
        },
    }


def _refusals(*statuses: str, of_a_page: bool = False) -> Schema:
    chosen = sorted({*statuses, *(("403",) if of_a_page else _ALWAYS)})
    return {status: _json(_REFUSALS[status], _ref("Error")) for status in chosen}


def _body(name: str) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": _ref(name)}}}


def _json(what: str, schema: Schema) -> Schema:
    return {"description": what, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
