"""Whether tools keep to their world: no wall clock, no shared randomness, no files, no network, no hidden memory.

Three nets. `check` reads the source of each tool, and of what it calls, before a world is made. `watched` raises while
a tool runs if it opens a file, a socket or a process (CPython's audit events; PEP 578). `sealed` takes the clock and
the shared generators away for the time of a test, for what a library might do out of sight.

Always holds: a world whose tools' sources name something outside is refused with file and line; a tool that reaches
outside while it runs does not return; code outside of tools is not touched.

Knows Python's modules; nothing of states. It keeps honest worlds honest: it is no sandbox for hostile code.
"""

from __future__ import annotations

import ast
import builtins
import datetime
import dis
import functools
import importlib
import inspect
import random
import sys
import textwrap
import threading
import time
import types
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from journeyman.errors import WorldError

datetime.datetime.strptime("2000", "%Y")  # it imports a module when it is first used: not within a tool

# What a tool may use besides its own package and this one: it computes, and remembers nothing.
ALLOWED = frozenset(
    "__future__ base64 bisect builtins calendar collections dataclasses datetime decimal difflib enum fractions "
    "functools hashlib heapq html itertools json math operator re statistics string textwrap typing unicodedata "
    "zlib _bisect _collections _collections_abc _datetime _decimal _functools _heapq _json _operator _pydatetime "
    "_hashlib _sha2 _strptime".split()
)
_BUILTINS = {
    **dict.fromkeys(("open", "input", "print", "breakpoint"), "let tools return what they have to say"),
    **dict.fromkeys(("exec", "eval", "compile", "__import__"), "write the code out"),
    **dict.fromkeys(("id", "hash"), "use keys: these differ from process to process"),
    **dict.fromkeys(("globals", "vars", "locals"), "name what is meant"),
}
# What can be changed, or changes when it is asked: an iterator remembers how far it has come.
_CHANGEABLE = (list, dict, set, bytearray, deque, types.SimpleNamespace, Iterator)
_MAKING = frozenset("__init__ __new__ __post_init__ __set_name__".split())
_NOW = frozenset("now today utcnow fromtimestamp".split())
_INSTEAD = {
    "time": "use here.clock or here.now",
    "random": "use here.below or here.choice",
    "secrets": "use here.below or here.choice",
    "uuid": "use here.new_id",
    "numpy": "use here.below or here.choice for chance, and plain numbers",
}
_EVENTS = frozenset(
    "open socket subprocess os shutil tempfile urllib http ftplib smtplib sqlite3 ctypes glob pathlib fcntl mmap "
    "time.sleep".split()
)


class Reach(NamedTuple):
    """Something outside that a tool's source names."""

    where: str  # file:line
    what: str
    instead: str


def check(function: Callable[..., Any]) -> None:
    """WorldError if the function, or what it calls, names something outside of its world."""
    found = reaches(function)
    if found:
        first = found[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise WorldError(f"{first.where}: {function.__name__} reaches for {first.what}{more}", first.instead)


def reaches(function: Callable[..., Any]) -> list[Reach]:
    """All that it names outside."""
    return list(_reaches(function, set()))


def _reaches(function: Any, seen: set[Any]) -> Iterator[Reach]:
    """All layers of it: what a decorator has put around a tool runs with each call."""
    while function is not None:
        yield from _reaches_itself(function, seen)
        function = getattr(function, "__wrapped__", None)


def _reaches_itself(function: Any, seen: set[Any]) -> Iterator[Reach]:
    code = getattr(function, "__code__", None)
    if code is None or code in seen:
        return
    seen.add(code)
    if hasattr(function, "__wrapped__") and _root(function.__globals__["__name__"]) in sys.stdlib_module_names:
        return
    where = f"{code.co_filename}:{code.co_firstlineno}"
    first, tree = 1, ast.Module([], [])
    try:
        lines, first = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        pass
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
        yield Reach(where, "code whose source cannot be read", "define it with def, in a file")
        return
    names = _Names(function)
    definition = tree.body[0]
    for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        if isinstance(default, _CHANGEABLE):
            yield Reach(where, "a default that can be changed, and that all calls share", "make it None or a tuple")
    parts = [*definition.body, *definition.args.defaults, *filter(None, definition.args.kw_defaults)]
    for node in (node for part in parts for node in ast.walk(part)):
        at = f"{code.co_filename}:{first + getattr(node, 'lineno', 1) - 1}"
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield Reach(at, f"memory of its own ({', '.join(node.names)})", "keep what is to be kept in a table")
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            if names.resolve(node.value) is not _UNKNOWN:  # of a class, a module, or what lives in one
                yield Reach(at, f"memory of its own ({ast.unparse(node)})", "keep what is to be kept in a table")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            for module in modules:
                if not _is_allowed(module, function):
                    yield _outside(at, module)
                elif not getattr(node, "level", 0):
                    with suppress(ImportError):  # now, since a tool that runs may open no file
                        importlib.import_module(module)
        elif isinstance(node, ast.For | ast.comprehension) and _is_set(node.iter):
            place = f"{code.co_filename}:{first + node.iter.lineno - 1}"
            yield Reach(place, "the order of a set, which differs from process to process", "sort it")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".now.timestamp", ".now.astimezone")):
            yield Reach(at, "the time zone of the machine", "use here.clock, which counts seconds in UTC")
        elif isinstance(node, ast.Call) and _orders_a_set(node):
            yield Reach(at, "the order of a set, which differs from process to process", "sort it")
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield from _judged(names.resolve(node), ast.unparse(node), at, function, seen)


def _judged(found: Any, spelling: str, at: str, function: Any, seen: set[Any]) -> Iterator[Reach]:
    """What is outside about the thing that a name stands for."""
    if found is _UNKNOWN:
        return
    while isinstance(found, functools.partial):
        found = found.func
    if isinstance(found, types.ModuleType):
        if not _is_allowed(found.__name__, function):
            yield _outside(at, found.__name__)
    elif isinstance(found, _CHANGEABLE) or _remembers(found):
        yield Reach(at, f"{spelling}, which can be changed and is no part of the state", "make it a tuple, or a table")
    elif isinstance(found, types.BuiltinFunctionType | types.MethodType | types.BuiltinMethodType) and (
        inspect.isclass(owner := getattr(found, "__self__", None))
        and issubclass(owner, datetime.date)
        and found.__name__ in _NOW
    ):
        yield Reach(at, spelling, _INSTEAD["time"])
    elif getattr(builtins, getattr(found, "__name__", ""), None) is found and found.__name__ in _BUILTINS:
        yield Reach(at, spelling, _BUILTINS[found.__name__])
    elif callable(found) or inspect.isclass(found):
        module = getattr(found, "__module__", None) or getattr(type(found), "__module__", "")
        if not _is_allowed(module, function):
            yield _outside(at, module if module in spelling else f"{module}.{spelling}")
        elif isinstance(inspect.unwrap(found), types.FunctionType) and not _is_ours(module):  # functools.cache wraps it
            if module.partition(".")[0] not in sys.stdlib_module_names:
                yield from _reaches(found, seen)
        elif inspect.isclass(found) and _root(module) == _root(function.__module__) and not _is_ours(module):
            for member in vars(found).values():
                member = getattr(member, "fget", getattr(member, "__func__", member))
                code = getattr(member, "__code__", None)
                if code is not None and not code.co_filename.startswith("<"):  # those NamedTuple and dataclass make
                    yield from _reaches(member, seen)
    else:
        module = type(found).__module__
        library = _root(module) in sys.stdlib_module_names or _root(module) == "numpy"
        if library and _root(module) != "types" and not _is_allowed(module, function):
            yield _outside(at, f"{module}.{type(found).__name__}")  # a generator of chance, the environment, a lock


def _remembers(thing: Any) -> bool:
    """Whether it is an object of a class of the user's own that can be changed: it holds what can be, or one of its
    methods writes to an attribute."""
    kind = type(thing)
    if inspect.isclass(thing) or not _is_the_users(kind.__module__):
        return False
    held = getattr(thing, "__dict__", {}).values()
    return any(isinstance(each, (*_CHANGEABLE, random.Random)) for each in held) or any(
        step.opname == "STORE_ATTR"
        for each in kind.__mro__
        if _is_the_users(each.__module__)
        for name, member in vars(each).items()
        if name not in _MAKING and isinstance(member, types.FunctionType)
        for step in dis.get_instructions(member)
    )


def _is_the_users(module: str) -> bool:
    file = getattr(sys.modules.get(_root(module)), "__file__", None) or ""
    return _root(module) not in sys.stdlib_module_names and "-packages" not in file and _root(module) != "journeyman"


class _Names:
    """What the names in a function stand for, as far as that can be told without running it."""

    def __init__(self, function: Any) -> None:
        self._globals = function.__globals__
        self._locals = set(function.__code__.co_varnames) | set(function.__code__.co_cellvars)
        free = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
        self._free = {name: _content(cell) for name, cell in free}

    def resolve(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            if node.id in self._free:
                return self._free[node.id]
            if node.id in self._locals:
                return _UNKNOWN
            return self._globals.get(node.id, getattr(builtins, node.id, _UNKNOWN))
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            if isinstance(owner, types.ModuleType) or inspect.isclass(owner):
                return getattr(owner, node.attr, _UNKNOWN)
        return _UNKNOWN


_UNKNOWN = object()


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _UNKNOWN


def _root(module: str) -> str:
    return module.partition(".")[0]


def _is_ours(module: str) -> bool:
    """This room itself, which is what tools are given; worlds that live in it are read like all others."""
    return module.startswith("journeyman.world.") and module.count(".") == 2


def _is_allowed(module: str, function: Any) -> bool:
    root = _root(module)
    if root in ALLOWED or module.startswith("journeyman.world") or root == _root(function.__module__):
        return True
    known = getattr(sys.modules.get(root), "__file__", None)
    return bool(known) and _is_the_users(module)  # what is called there is read too


def _outside(at: str, module: str) -> Reach:
    return Reach(at, module, _INSTEAD.get(_root(module), "let the state hold what the tool needs"))


def _is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")


def _orders_a_set(node: ast.Call) -> bool:
    """list({...}), tuple(set(...)), ", ".join({...})"""
    named = isinstance(node.func, ast.Name) and node.func.id in ("list", "tuple", "enumerate", "iter", "next", "zip")
    joined = isinstance(node.func, ast.Attribute) and node.func.attr == "join"
    return (named or joined) and any(_is_set(argument) for argument in node.args)


# -- while tools run


class _Watch:
    on = False  # a tool is running


class _Watches(threading.local):
    def __init__(self) -> None:  # once in each thread
        self.watch = _Watch()


_watches = _Watches()
_hooked: list[bool] = []


def _audit(event: str, _arguments: tuple[Any, ...]) -> None:
    watch = _watches.watch
    if watch.on and (event in _EVENTS or event.partition(".")[0] in _EVENTS):
        watch.on = False  # what is raised here may itself open files, to be shown
        raise WorldError(f"a tool reached outside its world: {event}", "let the state hold what the tool needs")


def watched() -> _Watches:
    """What knows whether a tool runs in this thread: set its `watch.on` before, and clear it after. The hook is
    installed at the first call, for it cannot be taken out again."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_audit)
    return _watches


@contextmanager
def sealed() -> Iterator[None]:
    """Within it, clocks and shared generators raise in tools, and work as ever in everything else."""
    kept: list[tuple[Any, str, Any]] = []
    for module, names in (
        (time, "sleep time time_ns monotonic monotonic_ns perf_counter perf_counter_ns localtime gmtime strftime"),
        (random, "random randint randrange choice choices shuffle sample uniform gauss getrandbits"),
        (uuid, "uuid1 uuid4"),
    ):
        for name in names.split():
            kept.append((module, name, getattr(module, name)))
            setattr(module, name, _barred(getattr(module, name), f"{module.__name__}.{name}"))
    try:
        yield
    finally:
        for module, name, original in kept:
            setattr(module, name, original)


def _barred(original: Callable[..., Any], name: str) -> Callable[..., Any]:
    def called(*arguments: Any, **options: Any) -> Any:
        if _watches.watch.on:
            raise WorldError(f"a tool reached outside its world: {name}", _INSTEAD.get(_root(name), "use the context"))
        return original(*arguments, **options)

    return called
