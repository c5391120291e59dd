"""Asking a server that runs for a test, and looking at what it kept and counted.

Not a test: what is asked is the tests' own.
"""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path
from typing import Any

import openai

from journeyman.records import Exchange
from journeyman.store import open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "capture"))
from served import Served


def client(served: Served, key: str = "none", **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=served.url, api_key=key, **{"max_retries": 0, **options})


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def kept(served: Served, receipt: str) -> Exchange:
    with open_store(served.store) as store:
        return store.exchanges(receipts=[receipt])[0]


def metrics(served: Served, key: str = "none") -> dict[str, float]:
    address = served.url.removesuffix("/v1") + "/metrics"
    request = urllib.request.Request(address, headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        lines = response.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}
