"""Every built-in probe draws data from its own likelihood, and writes them as a catalog that it reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from astroemu.core.provider import Prediction
from astroemu.errors import DataError
from astroemu.testing.synthetic import fiducial, likelihood, middle
from astroemu_probes.act_dr6_lite import ActDr6Lite
from astroemu_probes.cmb_forecast import CmbForecast
from astroemu_probes.neutral_fraction import NeutralFraction
from astroemu_probes.optical_depth import OpticalDepth
from astroemu_probes.planck_low_ell import PlanckLowEll
from astroemu_probes.planck_plik_lite import PlanckPlikLite
from astroemu_probes.power_spectrum_21cm import PowerSpectrum21cm
from astroemu_probes.spt3g_2018_lite import Spt3g2018Lite
from astroemu_probes.uv_luminosity_function import UVLuminosityFunction

#: Planck's file, where it lies beside the repository.
PLANCK = Path(__file__).parents[3] / "shared" / "data" / "planck2018_plik_lite.h5"
EVERY_KIND = ("McGreer+2015", "Zhu+2024", "Spina+2024", "Mason+2019", "Davies+2018")
PROBES = {
    "limits": (PowerSpectrum21cm, {}),
    "detections": (PowerSpectrum21cm, {"likelihood": "gaussian", "bands": ("band2",), "k_min": 0.2, "k_max": 0.9}),
    "uv": (UVLuminosityFunction, {"sets": {"Harikane+2023": (9.0, 12.0)}, "m_uv_min": -24.0}),
    "uv_barlow": (UVLuminosityFunction, {"errors": "barlow"}),
    "x_hi": (NeutralFraction, {"references": EVERY_KIND, "z_min": 0.0}),
    "tau": (OpticalDepth, {"reference": "Qin+2020"}),
    "tau_barlow": (OpticalDepth, {"reference": "Qin+2020", "errors": "barlow"}),
    "low_ell": (PlanckLowEll, {"spectra": ("EE", "TT")}),
    "act": (ActDr6Lite, {"spectra": ("TT", "EE"), "l_max": {"TT": 3000.0}, "l_min": {"TE": 800.0}}),
    "spt": (Spt3g2018Lite, {"l_min": {"TE": 800.0}}),
    "plik": (PlanckPlikLite, {"l_max": {"TT": 1000.0, "TE": 600.0, "EE": 600.0}}),
    "forecast": (CmbForecast, {"l_max": 200}),
    "forecast_ee": (CmbForecast, {"spectra": "EE", "l_max": 200}),
}


def made(name):
    cls, options = PROBES[name]
    if cls is PlanckPlikLite and PLANCK.is_file():
        options = {**options, "catalog": str(PLANCK)}
    try:
        return cls(**options)
    except DataError as error:
        if "fetch" in str(error):
            pytest.skip("Planck's file was not fetched")
        raise


def predicted(probe, offset=0.0):
    """Plausible values ``(1, size)``: what the data say, or the fiducial constants."""
    if isinstance(probe, CmbForecast):
        return {name: Prediction((probe.data[name] - probe.noise[name] + offset)[None]) for name in probe.requires}
    if hasattr(probe, "bands"):
        return {name: Prediction(band.data[None] + offset) for name, band in probe.bands.items()}
    return {key: Prediction(value[None] + offset) for key, value in fiducial(probe).items()}


@pytest.mark.parametrize("name", PROBES)
def test_what_is_drawn_is_written_and_read_again(name, tmp_path):
    probe = made(name)
    cls, options = PROBES[name]
    truth, nuisance = predicted(probe), middle(probe, 1)
    mock = probe.simulate(truth, nuisance, np.random.default_rng(1))
    written = mock.save(tmp_path, "mine")
    again = cls(**{**options, **written, "catalog": str(tmp_path / written["catalog"])})
    values = {key: p.value + np.linspace(-1e-3, 2e-3, 4)[:, None] for key, p in predicted(probe).items()}
    found, expected, before = (likelihood(p, values, middle(p, 4)) for p in (again, mock, probe))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert not np.allclose(expected, before, rtol=1e-3, atol=0.0)
    assert [len(panel.x) for panel in again.panels()] == [len(panel.x) for panel in probe.panels()]
    with pytest.raises(DataError, match="not overwritten"):
        mock.save(tmp_path, "mine")


@pytest.mark.parametrize("name", PROBES)
def test_without_noise_the_truth_is_the_best_fit_and_the_data_are_fixed(name):
    probe = made(name) if name != "x_hi" else NeutralFraction(references=("McGreer+2015", "Davies+2018"))
    if name == "detections":  # with an error that grows with the model a lower one is likelier
        probe.modelling_fraction = 0.0
    nuisance = middle(probe, 1)
    first, second = (probe.simulate(predicted(probe), nuisance, None) for _ in range(2))
    steps = np.array([-0.03, -0.01, 0.0, 0.01, 0.03])
    if name == "low_ell":  # the density of the truth peaks below its median
        steps = np.array([0.0])
    values = {key: p.value * (1.0 + steps[:, None]) for key, p in predicted(probe).items()}
    found, same = (likelihood(p, values, middle(p, len(steps))) for p in (first, second))
    np.testing.assert_array_equal(found, same)
    if name not in ("limits", "low_ell"):  # a limit is the better, the lower the model
        assert found[np.flatnonzero(steps == 0.0)[0]] >= found.max() - 1e-9


def ranks_of(probe, centre, reach, error, nuisance=None, n=300, nodes=161):
    """Share of the posterior below the truth, for truths from a flat range times the normalisation."""
    rng = np.random.default_rng(5)
    levels = np.linspace(0.0, reach, nodes)
    values = {key: value * (1.0 + levels[:, None]) for key, value in centre.items()}
    errors = {key: error * np.abs(value) for key, value in values.items()}
    predictions = {key: Prediction(values[key], errors[key]) for key in values}
    nuisance = nuisance or {}
    many = {name: np.repeat(value, nodes) for name, value in nuisance.items()}
    norm = np.broadcast_to(probe.log_normalisation(predictions, many), nodes)
    weight = np.exp(norm - norm.max())
    shares = []
    for _ in range(n):
        i = rng.choice(nodes, p=weight / weight.sum())
        at = {key: Prediction(p.value[i : i + 1], p.error[i : i + 1]) for key, p in predictions.items()}
        log_l = likelihood(probe.simulate(at, nuisance, rng), values, many, errors)
        posterior = np.exp(log_l - log_l.max())
        cumulative = np.cumsum(posterior)
        shares.append((cumulative[i] - rng.random() * posterior[i]) / cumulative[-1])  # uniform among ties
    return np.array(shares)


@pytest.mark.parametrize(
    ("name", "start", "reach"),
    [
        pytest.param("limits", 30.0, 60.0, marks=pytest.mark.slow),
        pytest.param("detections", 30.0, 60.0, marks=pytest.mark.slow),
        pytest.param("uv_barlow", -3.4, -0.4, marks=pytest.mark.slow),
        ("uv", -4.0, -0.3),
        ("x_hi", 0.1, 7.0),
        ("tau", 0.03, 2.0),
        ("tau_barlow", 0.03, 2.0),
        ("low_ell", None, 1.0),
    ],
)
def test_ranks_are_uniform_with_an_emulators_error_that_grows_with_the_truth(name, start, reach):
    """The posterior's share below a truth that data were drawn at is uniform, if they belong together."""
    probe = made(name)
    if start is None:
        bins = np.exp(probe._mu) + probe._loc
        where = {key: probe._part(key) for key in probe.spectra}
        centre = {key: 0.7 * bins[part] for key, part in where.items()}
    else:
        centre = {key: np.full(r.size, start) for key, r in probe.requires.items()}
    shares = ranks_of(probe, centre, reach, 0.03 if name.startswith("uv") else 0.2)
    assert kstest(shares, "uniform").pvalue > 1e-3
