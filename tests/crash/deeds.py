"""What is killed in `test_registry_kill`: each takes the path of a store."""

from __future__ import annotations

from pathlib import Path

from nightly import run, said

from journeyman.registry import erasure, service
from journeyman.store import open_store


def a_night(path: Path) -> None:
    """A night over one more session ends, and what it made goes into service."""
    with open_store(path) as store, store.lock("night"):
        store.add_sessions([said("the cat is grey")])
        champion = store.champion("b4se")
        assert champion
        run(store, "n2", parent=champion.hash)


def service_changes(path: Path) -> None:
    with open_store(path) as store:
        service.rollback(store)
        service.promote(store, store.adapters()[1].hash)
        service.pin(store, "champion")
        service.unpin(store)


def an_erasure(path: Path) -> None:
    """What bob said is erased; the second night had learned it."""
    with open_store(path) as store, store.lock("night"):
        erasure.erase(store, user="bob")
