"""The ways in which tests ask a gateway, and look into its store."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import openai
from served import Served

from journeyman.records import Exchange
from journeyman.store import open_store

Serve = Callable[..., Served]


def ask(served: Served, path: str, value: Any = None, key: str = "", **headers: str) -> tuple[int, Any]:
    """The status and what was said: JSON as a value, other text as it is. A value is posted, bytes as they are."""
    body = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    known = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(served.url.removesuffix("/v1") + path, body, {**known, **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read().decode()
            return response.status, json.loads(text) if text.startswith("{") else text
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def client(served: Served, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=served.url, api_key="none", **{"max_retries": 0, **options})


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def kept(served: Served) -> list[Exchange]:
    with open_store(served.store) as store:
        return store.exchanges()


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found
