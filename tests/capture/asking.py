"""The ways in which tests ask a gateway, and look into its store."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import apsw
import openai
from engine import Engine
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


def lose(served: Served, engine: Engine, value: Any) -> None:
    """Ask, and go while the answer is being kept: the engine has given it, and nobody has got it."""
    asked, count = engine.asked, len(kept(served))
    writer = apsw.Connection(str(served.store))
    writer.execute("BEGIN IMMEDIATE")  # the gateway waits for the store
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc)
    connection.request("POST", "/v1/chat/completions", json.dumps(value))
    assert until(lambda: engine.asked > asked)
    time.sleep(0.3)
    connection.close()
    time.sleep(0.1)
    writer.execute("ROLLBACK")
    writer.close()
    assert until(lambda: len(kept(served)) > count)
    assert kept(served)[-1].ending == "complete"


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
