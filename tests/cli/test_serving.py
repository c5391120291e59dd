"""`journeyman serve` as a person starts it: it says where it listens, and ends in order when it is told to."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from program import start


def test_it_says_where_it_listens_and_ends_in_order(tmp_path: Path) -> None:
    store = tmp_path / "day.db"
    with start(
        "serve", "--upstream", "http://127.0.0.1:1", "--no-probe", "--store", store, "--port", 0, "--json"
    ) as it:
        assert it.stdout
        said = json.loads(it.stdout.readline())
        assert (said["store"], said["pid"]) == (str(store), it.pid)
        with urllib.request.urlopen(said["url"].removesuffix("/v1") + "/healthz", timeout=30) as response:
            assert json.loads(response.read()) == {"status": "ok", "under_way": 0}
        it.terminate()
        out, err = it.communicate(timeout=30)
    assert (it.returncode, out) == (0, "")
    assert err == f"listening on {said['url']}, asking http://127.0.0.1:1, keeping in {store}\n"
