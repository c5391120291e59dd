"""What a target is called, and how the environment behind the name is opened.

    gymnasium:CartPole-v1            an id that gymnasium.make knows
    reasoning-gym:knight_swap        a generator of reasoning_gym
    openenv:package.module:Class     an Environment class; or openenv:http://host:port, a server that runs
    verifiers:ID                     a taskset that verifiers knows; or verifiers:package.module:Class
    mcp:COMMAND                      a program that speaks MCP on stdin and stdout
    world:NAME                       a world of Journeyman; or world:DIR, one that `journeyman dream` has saved
    python:package.module:factory    anything; or python:FILE.py:factory

Always holds: a name means the same in every process that starts in the same directory; opening one imports what it
needs and no more.

Runs within the environment's own interpreter, and needs nothing but Python (3.10 or newer) and the environment.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from journeyman.errors import InputError, MissingExtraError, UsageError
from journeyman.grind.target import Target, adapted

KINDS = {
    "gymnasium": ("gymnasium_environment", "gymnasium"),
    "reasoning-gym": ("reasoning_gym_generator", "reasoning_gym"),
    "openenv": ("openenv_environment", "openenv.core.env_server"),
    "verifiers": ("verifiers_taskset", "verifiers.v1"),
    "mcp": ("mcp_server", ""),
    "world": ("journeyman_world", ""),
    "python": ("", ""),
}
"""Kind -> its file in bridges/, and the library it needs, as it is imported."""


def checked(name: str) -> tuple[str, str]:
    """Kind and rest of a target's name. UsageError if it cannot be one."""
    kind, found, rest = name.partition(":")
    if kind not in KINDS or not found or not rest:
        known = ", ".join(f"{each}:…" for each in KINDS)
        raise UsageError(f"{name!r} is not the name of a target", f"name it as one of {known}")
    if kind == "python" and not all(rest.rpartition(":")):
        raise UsageError(
            f"{name!r} does not say which factory makes the environment", "name it as python:MODULE:FACTORY"
        )
    return kind, rest


def open_target(name: str) -> Target:
    """The target of that name, in this process. InputError or UsageError if there is none."""
    kind, rest = checked(name)
    bridge, library = KINDS[kind]
    if kind == "python":
        return adapted(name, factory(rest))
    try:
        return importlib.import_module(f"journeyman.grind.bridges.{bridge}").target(name, rest)
    except ModuleNotFoundError as error:
        package = library.partition(".")[0]
        if package and (error.name or "").partition(".")[0] == package:
            raise MissingExtraError(
                f"this needs {package}, which {sys.executable} does not have",
                "install it there, or name the Python that has it: --python PATH",
            ) from error
        raise


def factory(place: str) -> Callable[[], Any]:
    """`package.module:name` or `FILE.py:name`; the name may have dots."""
    where, _, path = place.rpartition(":")
    try:
        found: Any = _from_file(where) if where.endswith(".py") else importlib.import_module(where)
    except ModuleNotFoundError as error:
        raise InputError(
            f"there is no module {error.name} for {sys.executable}", "check the name, or name its Python with --python"
        ) from error
    found = within(found, where, path)
    if not callable(found):
        raise InputError(f"{place} cannot be called", "name a class, or a function that returns an environment")
    return found


def within(module: Any, where: str, path: str) -> Any:
    """What `path`, which may have dots, names in a module; InputError if there is nothing."""
    found = module
    for part in path.split("."):
        if not hasattr(found, part):
            raise InputError(f"{where} has no {path}", "check the name after the last colon")
        found = getattr(found, part)
    return found


def name_of(environment: Any) -> str | None:
    """The name by which another process can make this environment; None if there is none.

    A class or function is named by its module or file. An object of Gymnasium is named by its spec.
    """
    spec: Any = getattr(environment, "spec", None)
    if isinstance(getattr(spec, "id", None), str) and not getattr(spec, "kwargs", None):
        return f"gymnasium:{spec.id}"
    if not (inspect.isclass(environment) or inspect.isfunction(environment)):
        return None
    path = environment.__qualname__
    if "<" in path:  # a lambda, or something within a function
        return None
    module = sys.modules.get(environment.__module__)
    if module is not None and module.__spec__ is not None and importlib.util.find_spec(module.__name__):
        package = module.__name__.partition(".")[0]
        root = getattr(sys.modules.get(package), "__path__", None)
        if root is not None or package in sys.stdlib_module_names:
            return f"python:{module.__name__}:{path}"
    try:
        file = inspect.getsourcefile(environment)
    except (TypeError, OSError):  # it was typed in: there is no file
        return None
    return f"python:{os.path.abspath(file)}:{path}" if file and os.path.isfile(file) else None


def _from_file(file: str) -> ModuleType:
    path = os.path.abspath(file)
    if not os.path.isfile(path):
        raise InputError(f"there is no file {file}", "check the path before the last colon")
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    if os.path.dirname(path) not in sys.path:  # what stands beside it, as when Python runs it
        sys.path.append(os.path.dirname(path))
    spec.loader.exec_module(module)
    return module
