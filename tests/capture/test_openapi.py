"""The description says what there is: every address and no other, each with what its code can answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from asking import Serve, ask

from journeyman.capture import gateway, openapi
from journeyman.records import KEY_ROLES


def test_every_address_is_described_and_no_other() -> None:
    described = {path: [method.upper() for method in item] for path, item in openapi.document()["paths"].items()}
    assert described == {path: [method] for path, (method, _) in gateway._ROUTES.items()}


def test_what_anybody_may_ask_is_described_so() -> None:
    for path, item in openapi.document()["paths"].items():
        ((_, operation),) = item.items()
        open_to_all = path in gateway._FOR_ALL
        assert (operation.get("security") == [{}]) == open_to_all
        assert ("401" in operation["responses"]) == (not open_to_all)
        role = gateway._ROLE_FOR.get(path)
        assert role is None or f"role {role}" in operation["summary"].lower()
    assert set(gateway._ROLE_FOR.values()) <= set(KEY_ROLES)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name == "$ref")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from references(each)


def test_it_is_whole() -> None:
    document = openapi.document()
    used = set(references(document))
    assert used == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)


def test_it_is_served_to_anybody(serve: Serve) -> None:
    assert ask(serve(), "/openapi.json") == (200, json.loads(openapi.body()))
