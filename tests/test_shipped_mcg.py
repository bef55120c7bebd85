"""The shipped emulator with minihalos, compared with numbers of its teacher, 21cmEMU 3.0.0 "mcg"."""

from __future__ import annotations

import numpy as np
import pytest

import astroemu
from astroemu.errors import AstroemuError, ResolutionError
from astroemu.inference.configuration import load_configuration

#: The minihalos of Munoz et al. 2022, and the same with few and with many minihalos (docs/scripts/mcg_pictures.py).
EOS21 = {
    "log10_f_star10": -1.25,
    "alpha_star": 0.5,
    "t_star": 0.5,
    "log10_f_esc10": -1.35,
    "alpha_esc": -0.3,
    "log10_f_star7": -2.5,
    "log10_f_esc7": -1.35,
    "log10_l_x": 40.5,
    "log10_l_x_mini": 40.5,
    "e_0_keV": 0.5,
    "sigma_8": 0.81,
}
FEW = {**EOS21, "log10_f_star7": -3.9, "log10_f_esc7": -2.9}
MANY = {**EOS21, "log10_f_star7": -1.8, "log10_f_esc7": -1.5, "log10_l_x_mini": 41.5}


@pytest.fixture(scope="module")
def mcg():
    return astroemu.load_emulator("mcg")


@pytest.fixture(scope="module")
def found(mcg):
    return mcg.predict(np.array([[point[name] for name in mcg.parameters] for point in (FEW, EOS21, MANY)]))


def axis(mcg, name, number=0):
    return mcg.provides[name].axes[number].values


def test_grids_and_origin(mcg):
    assert set(mcg.parameters) == set(EOS21)
    shapes = {name: observable.shape for name, observable in mcg.provides.items()}
    assert shapes == {
        "delta21_sq": (32, 32),
        "x_hi": (93,),
        "tau_e": (),
        "log10_uv_lf": (7, 45),
        "t_b": (93,),
        "t_s": (92,),
    }
    assert axis(mcg, "x_hi")[0] == 4.9 and axis(mcg, "log10_uv_lf")[-1] == 15.0
    assert axis(mcg, "log10_uv_lf", 1)[0] == pytest.approx(-21.61, abs=0.01)
    origin = mcg.provenance["simulation"]
    assert origin["simulator"] == "21cmemu" and origin["version"] == "3.0.0" and "2606.00219" in origin["citation"]
    assert origin["settings"]["model"] == "mcg" and origin["settings"]["cosmology"]["Omega_m"] == 0.321


def test_optical_depths_and_histories_are_those_of_the_teacher(mcg, found):
    np.testing.assert_allclose(found["tau_e"], [0.051973, 0.063550, 0.086492], rtol=0.005)
    middle = [np.interp(0.5, x_hi, axis(mcg, "x_hi")) for x_hi in found["x_hi"]]
    np.testing.assert_allclose(middle, [6.734, 7.493, 9.721], atol=0.03)
    np.testing.assert_allclose(found["t_b"].min(axis=1), [-88.2, -72.1, -24.7], atol=2.0)


def test_power_spectra_and_luminosity_functions_are_those_of_the_teacher(mcg, found):
    at_k = int(np.argmin(np.abs(axis(mcg, "delta21_sq", 1) - 0.2)))
    power = found["delta21_sq"][:, [4, 10, 20], at_k]  # z = 6.8, 9.4, 16.1
    teacher = [[12.34, 2.33, 28.38], [8.91, 2.55, 14.32], [1.90, 7.18, 6.55]]
    np.testing.assert_allclose(np.log10(power), np.log10(teacher), atol=0.08)
    m_uv, phi = axis(mcg, "log10_uv_lf", 1), found["log10_uv_lf"]
    at_18 = [[np.interp(-18.0, m_uv, row[j]) for j in (0, 6)] for row in phi]
    np.testing.assert_allclose(at_18, [[-2.228, -5.550], [-2.222, -5.548], [-2.224, -5.545]], atol=0.03)


def test_every_observable_has_an_error(mcg):
    theta = np.array([[EOS21[name] for name in mcg.parameters]])
    rows = {name: np.arange(observable.size) for name, observable in mcg.provides.items()}
    from astroemu.core.array_namespace import NUMPY

    for name, prediction in mcg.evaluator(rows)(theta, {}, NUMPY).items():
        assert np.all(prediction.error > 0) and np.all(np.isfinite(prediction.error)), name


def test_an_energy_in_ev_is_outside(mcg):
    theta = np.array([[{**EOS21, "e_0_keV": 500.0}[name] for name in mcg.parameters]])
    with pytest.raises(AstroemuError, match="e_0_keV"):
        mcg.predict(theta)


def test_where_acg_ends_the_message_names_mcg():
    given = ["probes.uv_luminosity_function.sets={'Donnan+2024' = [11.0]}"]
    with pytest.raises(ResolutionError, match=r"11 lies outside the grid \[6, 10\].*reach there: 'mcg'"):
        load_configuration("reionization").overridden(given).model()


@pytest.mark.parametrize("name", ["cosmic_dawn", "minihalos_like_acg"])
def test_its_configurations_have_a_likelihood(name):
    model = astroemu.load_model(name)
    theta = np.array([[FEW[key] for key in model.names]])
    found = model.log_likelihood_by_probe(theta)
    assert all(np.isfinite(values).all() for values in found.values()) and len(found) >= 4
