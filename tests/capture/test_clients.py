"""Who asks is known again, and cannot be told from what is kept of it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from asking import Serve, ask, kept, user
from planted import on_the_disk

from journeyman.capture.clients import FILE, Clients
from journeyman.errors import StoreError


def test_a_mark_is_the_stores_own_and_stays(tmp_path: Path) -> None:
    first = Clients(tmp_path / "one").mark("Basic x")
    assert Clients(tmp_path / "one").mark("Basic x") == first
    assert Clients(tmp_path / "one").mark("Basic y") != first
    assert Clients(tmp_path / "other").mark("Basic x") != first
    (file,) = (tmp_path / "one").iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == (FILE, 0o600)


def test_a_damaged_key_is_not_used(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"short")
    with pytest.raises(StoreError, match="no key"):
        Clients(tmp_path)


def test_a_password_cannot_be_tried_on_the_records(serve: Serve) -> None:
    guess = f"Basic {base64.b64encode(b'ann:secret1').decode()}"
    served = serve()
    assert ask(served, "/v1/chat/completions", {"messages": user("say a")}, authorization=guess)[0] == 200
    served.end()
    served = serve()
    assert ask(served, "/v1/chat/completions", {"messages": user("say a")}, authorization=guess)[0] == 200
    first, second = kept(served)
    assert first.details["client"] == second.details["client"], "known again by the next server"
    assert first.begins == second.begins
    disk = on_the_disk(served.store)
    for digest in (hashlib.sha256, hashlib.blake2b, hashlib.sha1, hashlib.md5):
        assert digest(guess.encode()).hexdigest()[:16] not in disk
