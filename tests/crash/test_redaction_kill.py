"""kill -9 while secrets go by: none of them is on the disk, at no moment, and what was judged is."""

from __future__ import annotations

import http.client
import json
import os
import random
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from journeyman.capture import replies
from journeyman.store import open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "capture"))
from engine import Engine
from planted import PLANTED, on_the_disk, shows
from served import serving

ROUNDS = int(os.environ.get("JOURNEYMAN_CRASH_ROUNDS", "4"))
TEXT = "\n".join(
    f"Here is {name}: {planted} .\nAnd so it goes on, \nline by line." for name, planted in PLANTED.items()
)


def ask(url: str) -> None:
    message = {"role": "user", "content": f"wait 25 {TEXT}"}
    body = json.dumps({"model": "m", "messages": [message], "stream": True}).encode()
    with suppress(OSError, http.client.HTTPException):  # the server is gone
        urllib.request.urlopen(urllib.request.Request(f"{url}/chat/completions", body), timeout=30).read()


@pytest.mark.timeout(300)
def test_no_secret_of_an_open_stream_is_on_the_disk(tmp_path: Path) -> None:
    rng = random.Random(11)
    store_path = tmp_path / "day.db"
    with Engine() as engine:
        for _ in range(ROUNDS):
            with serving(store_path, engine.url) as served:
                clients = [threading.Thread(target=ask, args=(served.url,), daemon=True) for _ in range(3)]
                for each in clients:
                    each.start()
                    time.sleep(rng.uniform(0.0, 0.4))
                time.sleep(rng.uniform(0.5, 2.5))
                served.kill()
                for each in clients:
                    each.join(30)
            disk = on_the_disk(store_path)
            for planted in PLANTED.values():
                assert not any(shows(disk, line) for line in planted.splitlines() if "---" not in line)
        with serving(store_path, engine.url):
            pass
    with open_store(store_path) as store:
        kept = [each for each in store.exchanges() if each.ending == "cut by server"]
    assert kept
    said = [str((replies.of_stream(each.response).message or {}).get("content")) for each in kept]
    for text in said:
        for planted in PLANTED.values():
            assert not shows(text, planted)
    assert any("[secret]" in text and "line by line." in text for text in said), "what was judged is there"
