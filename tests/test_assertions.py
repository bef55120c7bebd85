"""Every test asserts something, either itself or through a function of the tests that it calls."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
#: Besides ``assert``, these functions of pytest, and functions with these beginnings, can fail a test.
OF_PYTEST = {"raises", "warns", "fail"}
BEGINNINGS = ("assert_", "check_")


@cache
def called(node):
    """Return the names of the functions that are called anywhere below a node."""
    functions = (call.func for call in ast.walk(node) if isinstance(call, ast.Call))
    return {f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in functions}


@cache
def asserts(node):
    """Return True if something below a node can fail."""
    if any(isinstance(below, ast.Assert) for below in ast.walk(node)):
        return True
    return any(name in OF_PYTEST or name.startswith(BEGINNINGS) for name in called(node))


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def idle(trees):
    """Return the tests that assert nothing, as ``file::name``, of parsed files by name."""
    known = [node for tree in trees.values() for node in functions(tree) if not node.name.startswith("test_")]
    good: set[str] = set()
    while more := {node.name for node in known if asserts(node) or called(node) & good} - good:
        good |= more
    return [
        f"{name}::{node.name}"
        for name, tree in trees.items()
        for node in functions(tree)
        if node.name.startswith("test_") and not asserts(node) and not called(node) & good
    ]


def test_every_test_asserts():
    files = sorted(TESTS.rglob("*.py"))
    assert len(files) > 50
    assert idle({str(path.relative_to(TESTS)): ast.parse(path.read_text()) for path in files}) == []


def test_one_that_asserts_nothing_is_found():
    text = """
def same(a, b): assert a == b
def through(a): same(a, a)
def quiet(a): return a
def test_one(): assert True
def test_two(): through(1)
def test_three():
    with pytest.raises(ValueError): quiet(1)
def test_four(): quiet(1)
def test_five(): np.testing.assert_allclose(1, 1)
"""
    assert idle({"it.py": ast.parse(text)}) == ["it.py::test_four"]
