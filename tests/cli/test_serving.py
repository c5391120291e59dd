"""`journeyman serve` as a person starts it: it says where it listens, and ends in order when it is told to."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest
from program import start

from journeyman.cli import main


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


@pytest.mark.parametrize("url", ["http://[x", "http://h:99999/v1", "http://h:x/v1", "ftp://h", "h:80", "http://"])
def test_what_is_no_address_of_an_engine_is_said_before_anything_is_made(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--upstream", url, "--store", str(tmp_path / "day.db"), "--port", "0"]) == 2
    assert f"{url!r} is no address of an engine" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
