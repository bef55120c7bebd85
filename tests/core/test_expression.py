"""Derived numbers from expressions: their values, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import line_model, line_prior

from astroemu.core.array_namespace import NUMPY
from astroemu.core.distributions import Uniform
from astroemu.core.expression import DEEPEST, FUNCTIONS, LONGEST, Expression
from astroemu.errors import ConfigurationError, ResolutionError
from astroemu.model.backends.base import BACKENDS, load_backend
from astroemu.model.compiled_engine import CompiledEngine
from astroemu.model.model import Model

A, B = np.array([0.5, 1.0, 2.0]), np.array([3.0, 0.25, 1.0])


def value(text):
    expression = Expression("new", text)
    columns = {"a": A, "b": B}
    theta = np.stack([columns[name] for name in expression.parameters], axis=1)
    found = expression.evaluator({"new": np.array([0])})(theta, {}, NUMPY)
    assert found["new"].value.shape == (3, 1) and found["new"].error is None
    return found["new"].value[:, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b", A + B),
        ("a - b / 2", A - B / 2),
        ("-a ** 2", -(A**2)),
        ("2 ** -a", 2.0**-A),
        ("(a + b) * 1e-3", (A + B) * 1e-3),
        ("a * pi + 0 * b", A * np.pi),
        ("log10(a) + log(b)", np.log10(A) + np.log(B)),
        ("max(a, b) - min(a, 1)", np.maximum(A, B) - np.minimum(A, 1)),
        ("10**a * sqrt(b)", 10**A * np.sqrt(B)),
        ("+a + (3 - 1) / 4", A + 0.5),
        ("  a ", A),
    ],
)
def test_arithmetic_is_that_of_numpy(text, expected):
    np.testing.assert_allclose(value(text), expected, rtol=1e-15)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_value(name):
    text = f"{name}(a, b)" if name in ("max", "min") else f"{name}(a)"
    assert np.all(np.isfinite(value(text)))


def test_names_are_parameters_in_the_order_of_the_text():
    made = Expression("total", "b + a * b", latex="T", unit="mK")
    assert made.parameters == ("b", "a")
    (observable,) = made.provides.values()
    assert (observable.name, observable.unit, observable.latex, observable.axes) == ("total", "mK", "T", ())
    assert observable.description == "total = b + a * b"


def test_outside_the_domain_of_a_function_the_number_is_not_defined():
    with np.errstate(invalid="ignore", divide="ignore"):
        found = value("log10(a - 1)")
    assert np.isnan(found[0]) and found[1] == -np.inf and found[2] == 0.0


def computed(name=None):
    """A line whose slope is half of a sampled number."""
    line = line_model().providers["line"]
    prior = line_prior(slope=None, double=Uniform(-2, 2))
    probes = line_model().probes
    model = Model(prior, {"slope": Expression("slope", "double / 2"), "line": line}, probes, engine="numpy")
    return model if name is None else CompiledEngine(model.pipeline, load_backend())


def test_an_expression_may_be_the_parameter_of_an_emulator():
    theta = np.array([[1.0, 0.5], [0.0, -1.0]])
    model = computed()
    assert model.names == ("offset", "double")
    expected = line_model().log_likelihood(np.stack([theta[:, 1] / 2, theta[:, 0]], axis=1))
    np.testing.assert_allclose(model.log_likelihood(theta), expected)


@pytest.mark.parametrize("name", [pytest.param("tensorflow", marks=pytest.mark.slow), "jax"])
def test_every_function_is_compiled_with_its_gradient(name, monkeypatch):
    pytest.importorskip(BACKENDS[name][1])
    monkeypatch.setenv("KERAS_BACKEND", name)
    backend = load_backend()
    names = [f"{each}(a, b)" if each in ("max", "min") else f"{each}(a)" for each in FUNCTIONS]
    expression = Expression("new", " + ".join([*names, "a**b", "2**a", "-b"]))
    run = expression.evaluator({"new": np.array([0])})
    theta = np.stack([A + 0.1, B], axis=1)

    def total(points, xp):
        return run(points, {}, xp)["new"].value[:, 0]

    found, gradient = backend.compile(backend.with_gradient(lambda points: total(points, backend.xp)), (theta,))(theta)
    np.testing.assert_allclose(found, total(theta, NUMPY), rtol=1e-12)
    for j in range(2):
        step = 1e-6 * np.eye(2)[j]
        numeric = (total(theta + step, NUMPY) - total(theta - step, NUMPY)) / 2e-6
        np.testing.assert_allclose(gradient[:, j], numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("expressions", "message"),
    [
        (
            {"new": "slope + ofset"},
            r"\[derived.new\]: 'ofset' in 'slope \+ ofset' is no parameter.* Did you mean 'offset'",
        ),
        ({"new": "slope * y"}, r"'y' in 'slope \* y' has axes, and an expression takes single numbers"),
        ({"one": "two + slope", "two": "three", "three": "one"}, "in a circle: one -> two -> three -> one"),
    ],
)
def test_names_that_a_model_does_not_have_are_refused(expressions, message):
    made = {name: Expression(name, text) for name, text in expressions.items()}
    with pytest.raises(ResolutionError, match=message):
        Model(line_prior(), {**line_model().providers, **made}, line_model().probes)


@pytest.mark.attack("options", "expressions with code, attributes, texts, huge powers, depth and length")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lgo10(a)", "no function is called 'lgo10'. Did you mean 'log10'"),
        ("__import__('os').system('true')", "__import__.*is not possible in an expression: use numbers"),
        ("a.real", "'a.real' is not possible in an expression: use numbers, names"),
        ("a[0]", "not possible"),
        ("lambda: a", "not possible"),
        ("[a for a in b]", "not possible"),
        ("a if b else 0", "not possible"),
        ("a < b", "not possible"),
        ("a @ b", "not possible"),
        ("a // b", "not possible"),
        ("(a := b)", "not possible"),
        ("'a'", "is no number"),
        ("a + True", "'True' is no number"),
        ("a + 2j", "is no number"),
        ("a +", "is no expression: invalid syntax"),
        ("", "is no expression"),
        ("a; b", "is no expression"),
        ("a = b", "is no expression"),
        ("1 + 2", "names no parameter"),
        ("new + a", "names 'new' itself"),
        ("log10(a, b)", "the function 'log10' takes 1 number"),
        ("max(a)", "the function 'max' takes 2 numbers"),
        ("log10(x=a)", "takes 1 number"),
        ("max(*a)", "takes 2 numbers"),
        ("log10 + a", "'log10' is a function; write log10"),
        ("a + 1 / 0", "'1 / 0' is not a finite number"),
        ("a + 9**9**9**9", "is not a finite number"),
        ("a + (-1)**0.5", "is not a finite number"),
        ("a + 1" + "0" * 400, "too large"),
        ("a" + " + a" * (LONGEST // 4), "too long"),
        ("+".join(["a"] * 300), "more than 200 numbers and names"),
        ("-" * (DEEPEST + 2) + "a", f"nested more than {DEEPEST} deep"),
        ("(" * 300 + "a" + ")" * 300, "is no expression"),
        ("a\0b", "is no expression"),
    ],
)
def test_what_is_no_expression_is_refused(text, message):
    with pytest.raises(ConfigurationError, match=message):
        Expression("new", text)


def test_a_name_that_is_no_identifier_is_refused():
    with pytest.raises(ConfigurationError, match="'new number' is not an identifier"):
        Expression("new number", "a")
