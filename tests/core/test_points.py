"""Points by name: columns are matched by name, and whatever does not fit is refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table

from astroemu.core.points import as_points
from astroemu.errors import ConfigurationError, DataError

NAMES = ("log10_l_x", "tau_e", "t_star")
COLUMNS = {"t_star": np.array([0.5, 0.6]), "log10_l_x": np.array([40.0, 41.0]), "tau_e": np.array([0.05, 0.06])}
THETA = np.array([[40.0, 0.05, 0.5], [41.0, 0.06, 0.6]])


def structured():
    made = np.zeros(2, [(name, float) for name in COLUMNS])
    for name, values in COLUMNS.items():
        made[name] = values
    return made


@dataclass
class LikeSamples:
    """Something with names and columns, as samples are."""

    names: tuple[str, ...] = tuple(COLUMNS)

    def __getitem__(self, name):
        return COLUMNS[name]


@pytest.mark.parametrize(
    "given",
    [THETA, THETA.tolist(), COLUMNS, Table(COLUMNS), QTable(COLUMNS), structured(), LikeSamples()],
    ids=lambda given: type(given).__name__,
)
def test_columns_are_matched_by_name(given):
    np.testing.assert_array_equal(as_points(given, NAMES), THETA)


def test_a_dataframe_is_matched_by_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COLUMNS)
    np.testing.assert_array_equal(as_points(frame, NAMES), THETA)
    np.testing.assert_array_equal(as_points(frame.iloc[[1]], NAMES), THETA[1:])
    twice = pandas.concat([frame, frame[["tau_e"]]], axis=1)
    with pytest.raises(ConfigurationError, match="'tau_e' is given twice"):
        as_points(twice, NAMES)
    frame["tau_e"] = pandas.array([0.05, 0.06], dtype="Float64")
    np.testing.assert_array_equal(as_points(frame, NAMES), THETA)


def test_numbers_hold_for_all_points_or_are_one_point():
    np.testing.assert_array_equal(as_points({**COLUMNS, "t_star": 1}, NAMES), [[40, 0.05, 1], [41, 0.06, 1]])
    one = {"log10_l_x": 40, "tau_e": 0.05, "t_star": np.float32(0.5)}
    np.testing.assert_array_equal(as_points(one, NAMES), THETA[:1])


def test_no_points_are_no_points():
    assert as_points(dict.fromkeys(NAMES, np.zeros(0)), NAMES).shape == (0, 3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"log10_lx": 1.0}, "unknown parameter 'log10_lx'. Did you mean 'log10_l_x'?"),
        ({"h": 0.7}, "'h' is fixed at 0.6774 in this model"),
        ({"tau_e": None}, "missing parameters: 'tau_e'"),
        ({"tau_e": np.zeros(3)}, "'log10_l_x' has 2 values and 'tau_e' has 3"),
        ({"tau_e": np.zeros((2, 1))}, r"'tau_e' has the shape \(2, 1\)"),
        ({"tau_e": ["0.05", "0.06"]}, "tau_e = .* must be a number or an array of numbers"),
        ({"tau_e": np.array([0.05, None])}, "tau_e = .* must be a number"),
        ({"tau_e": True}, "tau_e = True must be a number"),
        ({"tau_e": MaskedColumn([0.1, 0.2], mask=[False, True])}, "'tau_e' has masked values"),
        ({"t_star": [0.5, 0.6] * u.Gyr}, "'t_star' has the unit 'Gyr', but this parameter is given without a unit"),
        ({"log10_l_x": [1.0, 2.0] * u.J}, r"unit 'J', but this parameter is given in 'log10 erg'"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    given = {name: values for name, values in {**COLUMNS, **changed}.items() if values is not None}
    for error in (ConfigurationError, DataError):
        with pytest.raises(error, match=message):
            as_points(given, NAMES, fixed={"h": 0.6774}, units={"log10_l_x": "log10 erg"}, error=error)


def test_a_column_in_the_unit_of_the_parameter_is_taken():
    given = {**COLUMNS, "t_star": [0.5, 0.6] * u.keV}
    np.testing.assert_array_equal(as_points(given, NAMES, units={"t_star": "keV"}), THETA)


@pytest.mark.parametrize("theta", [THETA[0], THETA[:, :2], THETA[None], 1.0])
def test_an_array_of_another_shape_is_refused(theta):
    with pytest.raises(ConfigurationError, match=r"\(n, 3\) is needed, with the columns log10_l_x, tau_e, t_star"):
        as_points(theta, NAMES)
