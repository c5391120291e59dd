"""What is killed in `test_registry_kill`: each takes the path of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nightly import run, said

from journeyman import night_rebuild
from journeyman.night_rebuild import Rebuild
from journeyman.records import Erasure, NightRecord
from journeyman.registry import erasure, rebuilding, service
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


class Quick(Rebuild):
    """A rebuild whose nights take no time."""

    def _run(self, done: Erasure, night: NightRecord, _nights: object = None) -> None:
        if not rebuilding.again(self.store, done, night.key) and (ids := rebuilding.left(self.store, night)):
            begun = {each.key for each in self.store.nights()}
            key = f"{night.key}-anew"
            if key not in begun:  # the helper cannot go on with a night; `tests/test_night.py` sees to that
                champion = self.store.champion("b4se")
                place = {"erasure": done.id, "night": night.key}
                run(self.store, key, parent=champion.hash if champion else None, ids=ids, rebuilds=place)

    def _recall(self, *_: object) -> dict[str, Any]:
        return {}


def a_rebuild(path: Path) -> None:
    """What an erasure felled is made anew."""
    with open_store(path) as store:
        for each in night_rebuild.pending(store):
            Quick(store).finish(each.id)
