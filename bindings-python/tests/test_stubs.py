"""The stubs name all that is public, with the signatures of the code, and all of it is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import headwater as hw

PACKAGE = Path(hw.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
PUBLIC = [name for name in MODULES if name == "__init__" or not name.startswith("_")]


def load(module: str):
    return importlib.import_module("headwater" if module == "__init__" else f"headwater.{module}")


def tree(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body


def names(body: list[ast.stmt], path: str = "") -> set[str]:
    """What a stub declares: ``name`` and ``Class.name``."""
    found = set()
    for node in body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(path + node.name)
            if isinstance(node, ast.ClassDef):
                found |= names(node.body, f"{path}{node.name}.")
        elif isinstance(node, ast.AnnAssign):
            found.add(path + ast.unparse(node.target))
        elif isinstance(node, ast.Assign):
            found |= {path + ast.unparse(target) for target in node.targets}
    return found


def signatures(body: list[ast.stmt], path: str = "") -> dict[str, str]:
    """Functions and methods with decorators, arguments, defaults and types."""
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            node.body = [ast.Expr(ast.Constant(...))]
            found[path + node.name] = ast.unparse(node)
        elif isinstance(node, ast.ClassDef):
            found |= signatures(node.body, f"{path}{node.name}.")
    return found


def members(cls: type) -> list[tuple[type, str]]:
    """The public methods and properties of a class, each with the class of ours that defines it."""
    return [
        (base, name)
        for base in cls.__mro__
        if base.__module__.split(".")[0] == "headwater"
        for name, member in vars(base).items()
        if not name.startswith("_")
        and (isinstance(member, (property, classmethod, staticmethod)) or inspect.isfunction(member))
    ]


def test_every_module_has_a_stub_and_the_package_says_that_it_is_typed():
    assert [name for name in [*MODULES, "_core"] if not (PACKAGE / f"{name}.pyi").exists()] == []
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_stub(module):
    here, stub = load(module), names(tree(PACKAGE / f"{module}.pyi"))
    missing = sorted(set(here.__all__) - stub)
    for name in here.__all__:
        value = getattr(here, name)
        for base, member in members(value) if inspect.isclass(value) else ():
            home = PACKAGE / f"{base.__module__.rpartition('.')[2]}.pyi"
            if f"{base.__name__}.{member}" not in names(tree(home)):
                missing.append(f"{home.name}: {base.__name__}.{member}")
    assert missing == []


@pytest.mark.parametrize("module", MODULES)
def test_signatures_of_the_stub_are_those_of_the_code(module):
    code = signatures(tree(PACKAGE / f"{module}.py"))
    stub = signatures(tree(PACKAGE / f"{module}.pyi"))
    assert stub == {name: code.get(name) for name in stub}


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_documented(module):
    here = load(module)
    assert (here.__doc__ or "").strip()
    bare = []
    for name in here.__all__:
        value = getattr(here, name)
        parts = {name: value}
        if inspect.isclass(value):
            parts |= {f"{name}.{member}": getattr(value, member) for _, member in members(value)}
        # A dataclass without a docstring gets its own signature for one.
        bare += [
            part
            for part, found in parts.items()
            if not (doc := inspect.getdoc(found)) or doc.startswith(f"{name}(")
        ]
    assert bare == []
