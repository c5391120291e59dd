"""Journeyman: models that learn on the job.

    import journeyman
    result = journeyman.night("journeyman.db", sessions=["today.jsonl"])
    print(result["verdict"], result["reasons"])

Always holds: importing this loads no torch and reads no file; each name of `__all__` is loaded when it is first used.

Knows only where the public names live.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from journeyman.capture import import_files, read_sessions
    from journeyman.dream.dreamed import dream
    from journeyman.grind.measure import grind
    from journeyman.model import load_engine
    from journeyman.night import night
    from journeyman.registry.remarking import feedback, outcome
    from journeyman.store import open_store

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "dream",
    "feedback",
    "grind",
    "import_files",
    "load_engine",
    "night",
    "open_store",
    "outcome",
    "read_sessions",
]

_HOMES = {
    "feedback": "journeyman.registry.remarking",
    "import_files": "journeyman.capture",
    "load_engine": "journeyman.model",
    "open_store": "journeyman.store",
    "outcome": "journeyman.registry.remarking",
    "read_sessions": "journeyman.capture",
}
_CALLABLE = ("dream", "grind", "night")  # modules, and their functions of the same name


def __getattr__(name: str) -> Any:
    if name in _CALLABLE:
        return import_module(f"journeyman.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'journeyman' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Callable(ModuleType):
    """A module such as `journeyman.night`, which can be called as its function of that name.

    Python puts a submodule under its name into its package whenever anyone imports it. Without this,
    `journeyman.night(...)` would work until somebody said `from journeyman.night import NightOptions`.
    """

    def __call__(self, *args: Any, **options: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **options)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        if name in _CALLABLE and isinstance(value, ModuleType):
            value.__class__ = _Callable
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
