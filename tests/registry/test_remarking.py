"""Feedback and outcomes in Python: as the command line and the server take them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import journeyman
from journeyman.errors import UnknownError, UsageError
from journeyman.records import Exchange
from journeyman.store import open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with open_store(tmp_path / "day.db") as store:
        for receipt, tenant in (("r_1", ""), ("r_2", "ann")):
            store.write_exchanges(closed=[Exchange(receipt, "s", b"{}", "2026", tenant, key="k", ending="complete")])
    return tmp_path / "day.db"


def test_what_is_said_is_kept_without_what_is_not_kept(path: Path) -> None:
    mail = "ann@example.org"
    found = journeyman.feedback(
        path, "r_1", rating=0, correction=f"Ask {mail}.", better=f"Write to {mail}.", tags=["x"]
    )
    assert found["new"]
    assert journeyman.outcome(str(path), {"sent to": mail}, receipt="r_1", happened_at="2026-12-24")["new"]
    with open_store(path) as store:
        assert not journeyman.feedback(
            store, "r_1", rating=0, correction="Ask [e-mail].", better="Write to [e-mail].", tags=["x"]
        )["new"]
        (said,), (came,) = store.feedback(), store.outcomes()
        assert (said.rating, said.correction, said.better, said.tags) == (
            0,
            "Ask [e-mail].",
            "Write to [e-mail].",
            ("x",),
        )
        assert (json.loads(came.value), came.happened_at) == ({"sent to": "[e-mail]"}, "2026-12-24T00:00:00.000+00:00")
        journeyman.outcome(store, mail, key="k", redact="none")
        assert json.loads(store.outcomes()[-1].value) == mail
        journeyman.feedback(store, "r_2", rating=True, tags=None, tenant="ann")
        assert store.feedback()[-1].rating == 1.0, "the store that was given stays open"


def test_what_is_wrong_is_said_and_nothing_is_kept(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a rating nor a word"):
        journeyman.feedback(path, "r_1")
    with pytest.raises(UnknownError, match="r_2") as caught:
        journeyman.feedback(path, "r_2", rating=1)
    assert caught.value.remedy.endswith("and say whose answer it was with --tenant (in Python: tenant=)")
    with pytest.raises(UsageError, match="tags must be a list of texts"):
        journeyman.feedback(path, "r_1", tags="food")
    for value in ({"a": {1}}, {1: 0, "a": 0}, object()):
        with pytest.raises(UsageError, match="the value is not JSON"):
            journeyman.outcome(path, value, key="k")
    with pytest.raises(UsageError, match="a receipt or a key"):
        journeyman.outcome(path, True)
    with pytest.raises(UsageError, match="there is no store"):
        journeyman.outcome(tmp_path / "other.db", True, key="k")
    with open_store(path) as store:
        assert store.feedback() == store.outcomes() == []
    assert not (tmp_path / "other.db").exists()


def test_it_needs_no_torch(path: Path) -> None:
    code = (
        f"import sys, journeyman; journeyman.feedback({str(path)!r}, 'r_1', rating=1); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
