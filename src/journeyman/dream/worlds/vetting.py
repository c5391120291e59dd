"""Whether a tool that a stranger has written is nothing but a tool: what may be run at all, told from its text alone.

    code = vetted(text, "cancel_order", source)     # the function, as it goes into the world's file

Always holds: what passes is one function of that name, decorated `@read` or `@write`, which is made of plain statements
alone, names nothing but its own variables, a few harmless built-in functions, the words and the documents of the
world's file, and asks of them nothing but what a desk, a text, a list or a map can do; so it cannot import, reach for
what objects hide, change what others share, or loop without end over what is not there. What is not known to be
harmless is refused. Hints of types are read as well: Python runs those that are spelled as text.

Knows Python's grammar. It runs nothing; what passes is run by `sandbox` first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import NamedTuple

from journeyman.world.documents import Desk

_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)
_BUILTINS = frozenset(
    "abs all any bool dict enumerate float int isinstance len list map max min next reversed round sorted str sum "
    "tuple zip LookupError KeyError TypeError ValueError".split()
)
# Of the file's own names, those that are for what stands around a tool and not within it.
_AROUND = frozenset(("Context", "Documents", "read", "write"))
# What may follow a dot. `format` reads the attributes that its text names, and a codec is a module.
_DOTTED = frozenset(
    name for kind in (Desk, dict, list, str, tuple) for name in dir(kind) if not name.startswith("_")
) - {"format", "format_map", "encode"} | {"is_integer"}
_PLAIN: tuple[type[ast.AST], ...] = (
    *(ast.Return, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For, ast.If, ast.With, ast.Raise, ast.Try, ast.Expr),
    *(ast.Pass, ast.Break, ast.Continue, ast.ExceptHandler, ast.withitem, ast.keyword, ast.comprehension, ast.arg),
    *(ast.arguments, ast.BoolOp, ast.NamedExpr, ast.BinOp, ast.UnaryOp, ast.Lambda, ast.IfExp, ast.Dict, ast.Set),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Compare, ast.Call, ast.FormattedValue),
    *(ast.JoinedStr, ast.Constant, ast.Attribute, ast.Subscript, ast.Starred, ast.Name, ast.List, ast.Tuple, ast.Slice),
    *(ast.expr_context, ast.boolop, ast.unaryop, ast.cmpop),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitOr, ast.BitAnd, ast.BitXor),
)
_CALLED: dict[type[ast.AST], str] = {
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.Global: "a global variable",
    ast.Nonlocal: "a variable of another function",
    ast.ClassDef: "a class",
    ast.FunctionDef: "a function within it",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
    ast.While: "a while loop: loop over what is there",
    ast.Delete: "del: a map has pop",
    ast.Match: "match: use if",
    ast.Assert: "assert: use refuse_if, or raise Abstain",
    ast.Pow: "a power",
    ast.LShift: "a shift",
}
_LONGEST = 20_000  # characters


class Vetted(NamedTuple):
    """`code` as it may be tried; or, if `why` says so, nothing."""

    code: str
    why: str


def vetted(text: str, tool: str, source: str) -> Vetted:
    """The tool in a model's reply (between fences, if there are any). `source`: the world's file."""
    fenced = _FENCE.findall(text)
    code = max(fenced, key=len).strip() if fenced else text.strip()
    if len(code) > _LONGEST:
        return Vetted("", f"it has more than {_LONGEST} characters")
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
        return Vetted("", why) if why else Vetted(ast.unparse(function), "")  # imports before it are the file's own
    except RecursionError:
        return Vetted("", "it is nested too deeply")


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
    arguments = [*function.args.args, *function.args.kwonlyargs]
    for hint in (function.returns, *(each.annotation for each in arguments)):
        if hint is not None and not _is_type(hint):
            return f"line {hint.lineno}: {ast.unparse(hint)!r} is no plain type"
    body = [node for statement in function.body for node in ast.walk(statement)]
    own = {each.arg for each in arguments}
    own |= {node.id for node in body if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in body if isinstance(node, ast.arg)}
    own |= {node.name for node in body if isinstance(node, ast.ExceptHandler) and node.name}
    if taken := sorted(own & (known | _BUILTINS)):
        return f"{taken[0]} is the name of something else"
    return _odd(body, own | (known - _AROUND) | _BUILTINS)


def _odd(body: Iterable[ast.AST], there: frozenset[str] | set[str]) -> str:
    """What in this is not plain; `there`: the names that may be used."""
    for node in body:
        line = f"line {getattr(node, 'lineno', '?')}"
        if not isinstance(node, _PLAIN):
            return f"{line}: {_CALLED.get(type(node), type(node).__name__)}"
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            return f"{line}: .{node.attr} is set: documents are maps"
        if isinstance(node, ast.Attribute) and node.attr not in _DOTTED:
            return f"{line}: .{node.attr}"
        if isinstance(node, ast.Name) and node.id not in there:
            return f"{line}: {node.id}, which is not there"
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            return f"{line}: all errors are caught"
    return ""


def _is_type(hint: ast.expr) -> bool:
    """A name, None, `list[...]` of such, or several of them with a bar between."""
    if isinstance(hint, ast.BinOp) and isinstance(hint.op, ast.BitOr):
        return _is_type(hint.left) and _is_type(hint.right)
    if isinstance(hint, ast.Subscript):
        return isinstance(hint.value, ast.Name) and hint.value.id == "list" and _is_type(hint.slice)
    if isinstance(hint, ast.Constant):
        return hint.value is None
    return isinstance(hint, ast.Name) and hint.id in {"Any", "Context", "str", "int", "float", "bool", "list", "dict"}
