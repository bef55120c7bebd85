"""The probe conforms, its integral is the integral, and the mock's truth is found."""

import numpy as np
import pytest
from astroemu_global_21cm import MOCK, Global21cm
from scipy.stats import multivariate_normal

from astroemu import Prediction, load_model
from astroemu.core.array_namespace import NUMPY
from astroemu.errors import ConfigurationError
from astroemu.testing import check_catalog, check_probe


def log_likelihood(probe, signal, error=None):
    return probe.log_likelihood({"t_b": Prediction(signal, error)}, {}, NUMPY)


def signals(probe, n=4):
    rng = np.random.default_rng(0)
    depth, centre = rng.uniform(-100, 0, (n, 1)), rng.uniform(80, 120, (n, 1))
    return depth * np.exp(-0.5 * ((probe.nu - centre) / 10) ** 2)


def test_it_conforms():
    report = check_probe(Global21cm())
    report.demand()
    assert {f.check: f.outcome for f in report.findings}["simulate, then fit"] == "passed"
    check_catalog(MOCK).demand()


@pytest.mark.parametrize("error", [None, 3.0])
def test_it_is_the_limit_of_a_wide_prior(error):
    """Against a Gaussian whose covariance holds a foreground of wide prior, up to the norm of that prior."""
    probe = Global21cm(terms=3)
    t, width = 0.1 * signals(probe), 1e3  # of coefficients that are numbers of noise
    e = None if error is None else error * np.linspace(0.5, 1.5, len(t))[:, None] * np.ones_like(t)
    found = log_likelihood(probe, t, e)
    foreground = width**2 * probe.basis @ probe.basis.T
    expected = []
    for i, row in enumerate(t):
        noise = np.diag(probe.error**2 + (0 if e is None else e[i] ** 2))
        expected.append(multivariate_normal(row, noise + foreground).logpdf(probe.residual))
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=1e-3, atol=1e-3)


def test_a_foreground_makes_no_difference():
    probe, brighter = Global21cm(), Global21cm()
    brighter.t_sky = brighter.t_sky + 3e5 * (brighter.nu / brighter.nu.mean()) ** -1.5
    brighter.residual = brighter._without_foreground(brighter.t_sky)
    t = signals(probe)
    np.testing.assert_allclose(log_likelihood(brighter, t), log_likelihood(probe, t), atol=1e-3)


def test_the_truth_of_the_mock_is_found():
    model = load_model("global_21cm")
    options = {"walkers": 16, "starting_draws": 2000, "effective_samples": 500, "autocorrelation_times": 20}
    samples = model.sample("emcee", seed=1, max_steps=3000, **options)
    truth = model.probes["global_21cm"].catalogs[0].table().meta["truth"]
    for name in ("log10_l_x", "log10_m_turn", "log10_f_star10"):
        low, high = (np.quantile(samples[name], q) for q in (0.001, 0.999))
        assert low < truth[name] < high, name
    assert samples["log10_l_x"].std() < 0.7  # of a prior that is 1.15 wide


@pytest.mark.parametrize("options", [{"terms": 0}, {"terms": 200}, {"nu_min": 199.0}])
def test_bad_options_are_refused(options):
    with pytest.raises(ConfigurationError):
        Global21cm(**options)
