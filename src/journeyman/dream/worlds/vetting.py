"""Whether a tool that a stranger has written is nothing but a tool: what may be run at all, told from its text alone.

    code = vetted(text, "cancel_order", source)     # the function, as it goes into the world's file

Always holds: what passes is one function of that name, decorated `@read` or `@write`, which names nothing but its own
variables, a few harmless built-in functions, the words and the documents of the world's file; so it cannot import,
reach for what objects hide, or loop without end over what is not there.

Knows Python's grammar. It runs nothing; what passes is run by `sandbox` first.
"""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)
_BUILTINS = frozenset(
    "abs all any bool dict enumerate float int isinstance len list map max min next reversed round sorted str sum "
    "tuple zip None True False LookupError KeyError TypeError ValueError".split()
)
# By which one gets from a generator, a frame or a function to all that is loaded.
_INNER = re.compile(r"^_|^(gi|cr|ag|f|tb|co|func|ag)_|^(format_map|mro)$")
_BANNED: dict[type[ast.AST], str] = {
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.Global: "a global variable",
    ast.Nonlocal: "a variable of another function",
    ast.ClassDef: "a class",
    ast.AsyncFunctionDef: "an async function",
    ast.Await: "await",
    ast.AsyncFor: "an async loop",
    ast.AsyncWith: "an async with",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
    ast.While: "a while loop: loop over what is there",
    ast.Delete: "del",
    ast.Pow: "a power",
    ast.LShift: "a shift",
}
LONGEST = 20_000  # characters


class Vetted(NamedTuple):
    """`code` as it may be tried; or, if `why` says so, nothing."""

    code: str
    why: str


def vetted(text: str, tool: str, source: str) -> Vetted:
    """The tool in a model's reply (between fences, if there are any). `source`: the world's file."""
    fenced = _FENCE.findall(text)
    code = max(fenced, key=len).strip() if fenced else text.strip()
    if len(code) > LONGEST:
        return Vetted("", f"it has more than {LONGEST} characters")
    try:
        tree = ast.parse(code)
        known = _known(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Vetted("", f"it is no Python: {error}")
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    rest = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom)]
    if len(functions) != 1 or functions[0].name != tool or rest:
        return Vetted("", f"it has to be one function, {tool}, and nothing beside it")
    [function] = functions
    try:
        why = _judged(function, known)
    except RecursionError:
        why = "it is nested too deeply"
    if why:
        return Vetted("", why)
    return Vetted(ast.unparse(function), "")  # imports before it are the file's own


def replaced(source: str, tool: str, code: str) -> str:
    """The world's file with this in the place of the tool."""
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == tool:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            return "".join([*lines[: first - 1], f"{code.rstrip()}\n", *lines[node.end_lineno :]])
    raise ValueError(f"the file has no tool {tool}")


def _known(tree: ast.Module) -> frozenset[str]:
    """What the world's file imports, and its documents; none of its tools, and nothing that only repeats answers."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(name for name in found if name != "annotations" and not name.endswith("_RECORDED"))


def _judged(function: ast.FunctionDef, known: frozenset[str]) -> str:
    decorators = [ast.unparse(each) for each in function.decorator_list]
    if decorators not in (["read"], ["write"]):
        return "it has to be decorated with @read or with @write, and nothing else"
    if function.args.vararg or function.args.kwarg or function.args.posonlyargs:
        return "its arguments have to have names"
    if any(
        not isinstance(each, ast.Constant) for each in (*function.args.defaults, *function.args.kw_defaults) if each
    ):
        return "a default has to be a plain value"
    if not ast.get_docstring(function):
        return "it has to say in a docstring what it does"
    own = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    own |= {node.name for node in ast.walk(function) if isinstance(node, ast.ExceptHandler) and node.name}
    if taken := sorted(own & (known | _BUILTINS)):
        return f"{taken[0]} is the name of something else"
    for node in ast.walk(function):
        if node is not function and isinstance(node, ast.FunctionDef):
            return "a function within it"
        if (what := _BANNED.get(type(node))) is not None:
            return f"line {getattr(node, 'lineno', '?')}: {what}"
        if isinstance(node, ast.Attribute) and _INNER.search(node.attr):
            return f"line {node.lineno}: .{node.attr}"
        if isinstance(node, ast.Name) and node.id not in own | known | _BUILTINS:
            return f"line {node.lineno}: {node.id}, which is not there"
        if isinstance(node, ast.ExceptHandler) and (
            node.type is None or ast.unparse(node.type).strip("()") in ("Exception", "BaseException")
        ):
            return f"line {node.lineno}: all errors are caught"
    return ""
