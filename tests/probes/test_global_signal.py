"""The global signal: the integral over the foreground is the integral, and a foreground makes no difference."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

from astroemu.core.array_namespace import NUMPY
from astroemu.core.catalog import load_catalog
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.emulation.loading import load_emulator
from astroemu.errors import ConfigurationError, DataError
from astroemu_probes.global_signal import NU_21, GlobalSignal


def log_likelihood(probe, signal, error=None, modes=None):
    return probe.log_likelihood({"t_b": Prediction(signal, error, modes)}, {}, NUMPY)


def signals(probe, n=4):
    rng = np.random.default_rng(0)
    depth, centre = rng.uniform(-100, 0, (n, 1)), rng.uniform(80, 120, (n, 1))
    return depth * np.exp(-0.5 * ((probe.nu - centre) / 10) ** 2)


ERRORS = {
    "none": (0.0, None),
    "unknown correlation": (3.0, None),
    "two modes and a rest": (3.0, (1.5, 2.0)),
}


@pytest.mark.parametrize("foreground", ["linear_polynomial", "log_polynomial"])
@pytest.mark.parametrize("case", ERRORS)
def test_it_is_the_limit_of_a_wide_prior(case, foreground):
    """Against a Gaussian whose covariance holds a foreground of wide prior, up to the norm of that prior."""
    probe = GlobalSignal(terms=6, foreground=foreground)
    t, width = 0.1 * signals(probe), 1e4  # of coefficients that are numbers of noise
    total, sizes = ERRORS[case]
    shape = np.linspace(0.5, 1.0, len(t))[:, None] * np.ones_like(t)
    error = None if case == "none" else total * shape
    modes = None
    if sizes is not None:
        phase = np.cos(np.linspace(0, 3, t.shape[1])), np.sin(np.linspace(0, 3, t.shape[1]))
        modes = np.stack([size * shape * each for size, each in zip(sizes, phase, strict=True)], axis=1)
    found = log_likelihood(probe, t, error, modes)
    basis, expected = probe.basis / probe.error[:, None], []  # in units of the noise
    for i, row in enumerate(t):
        covariance = np.eye(len(row)) + width**2 * basis @ basis.T
        if error is not None:
            shared = (error[i][None] if modes is None else modes[i]) / probe.error
            rest = (error[i] / probe.error) ** 2 - np.sum(shared**2, axis=0)
            covariance += shared.T @ shared + np.diag(np.maximum(rest, 0.0))
        r = (probe.residual - row) / probe.error
        expected.append(-0.5 * r @ np.linalg.solve(covariance, r) - 0.5 * np.linalg.slogdet(covariance)[1])
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("error", [None, 2.0])
def test_a_foreground_makes_no_difference(error):
    probe, brighter = GlobalSignal(), GlobalSignal()
    brighter.t_sky = brighter.t_sky + 3e5 * (brighter.nu / brighter.nu.mean()) ** -1.5
    brighter.residual = brighter._without_foreground(brighter.t_sky)
    t = signals(probe)
    e = None if error is None else np.full_like(t, error)
    np.testing.assert_allclose(log_likelihood(brighter, t, e), log_likelihood(probe, t, e), atol=1e-3)


def test_a_small_error_of_the_emulator_changes_little():
    probe = GlobalSignal()
    t = signals(probe)
    np.testing.assert_allclose(log_likelihood(probe, t, np.full_like(t, 1e-4)), log_likelihood(probe, t), atol=1e-3)


def test_the_truth_of_the_mock_fits():
    """chi^2 per degree of freedom near one at the truth, and far from it at another signal."""
    probe = GlobalSignal()
    truth = load_catalog("global_signal_mock").table().meta["truth"]
    emulator = load_emulator("acg")
    t_b = emulator.predict({name: np.array([value]) for name, value in truth.items()})["t_b"]
    at = Requirement("t_b", {"z": NU_21 / probe.nu - 1.0}, "mK", rule={"z": "cubic"})
    signal = t_b @ at.matrix(emulator.provides["t_b"]).T
    chi2 = -2.0 * log_likelihood(probe, np.vstack([signal, np.zeros_like(signal)]))
    assert abs(chi2[0] - (len(probe.nu) - 7)) < 4 * np.sqrt(2 * len(probe.nu)) and chi2[1] > chi2[0] + 100


def test_mock_data_are_read_again(tmp_path):
    probe = GlobalSignal()
    t = signals(probe, 1)
    mock = probe.simulate({"t_b": Prediction(t)}, {}, np.random.default_rng(1))
    again = GlobalSignal(str(tmp_path / mock.save(tmp_path, "mock")["catalog"]))
    np.testing.assert_allclose(log_likelihood(again, t), log_likelihood(mock, t), rtol=1e-9)


@pytest.mark.parametrize("options", [{"terms": 0}, {"terms": 200}, {"nu_min": 199.0}])
def test_a_foreground_of_more_terms_than_channels_is_refused(options):
    with pytest.raises(ConfigurationError, match="terms = "):
        GlobalSignal(**options)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"error": [0.0, 1.0, 1.0]}, "row 1: the column 'error' is 0"),
        ({"nu": [100.0, -1.0, 120.0]}, "row 2: the column 'nu' is -1"),
        ({"t_sky": [1.0, float("nan"), 1.0]}, "row 2: no number in the column 't_sky'"),
    ],
)
def test_a_number_without_meaning_is_refused_with_its_row(tmp_path, columns, message):
    table = Table({"nu": [100.0, 110.0, 120.0], "t_sky": [1.0] * 3, "error": [1.0] * 3} | columns)
    for name, unit in (("nu", "MHz"), ("t_sky", "mK"), ("error", "mK")):
        table[name].unit = unit
    table.write(tmp_path / "mine.ecsv", format="ascii.ecsv")
    with pytest.raises(DataError, match=message):
        GlobalSignal(str(tmp_path / "mine.ecsv"), terms=1)


def test_data_in_kelvin_are_converted(tmp_path):
    table = Table({"nu": [0.1, 0.11, 0.12], "t_sky": [1.0] * 3, "error": [1.0] * 3}, units=["GHz", "K", "K"])
    table.write(tmp_path / "mine.ecsv", format="ascii.ecsv")
    probe = GlobalSignal(str(tmp_path / "mine.ecsv"), terms=1)
    assert probe.nu.tolist() == pytest.approx([100, 110, 120]) and probe.error.tolist() == pytest.approx([1e3] * 3)
