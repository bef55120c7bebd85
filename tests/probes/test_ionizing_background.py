"""Mean free path, photo-ionization rate and emissivity: the likelihood against direct integrals."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from helpers import Stub, uniform

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError, DoubleCountingWarning
from astroemu.model.model import Model
from astroemu_probes.ionizing_background import IonizingEmissivity, MeanFreePath, PhotoionizationRate
from astroemu_probes.neutral_fraction import NeutralFraction

PROBES = (MeanFreePath, PhotoionizationRate, IonizingEmissivity)


def log_likelihood(probe, value, error=None, modes=None):
    return probe.log_likelihood({probe.observable: Prediction(value, error, modes)}, {}, NUMPY)


def test_the_default_is_zhu_in_proper_mpc():
    probe = MeanFreePath()
    assert probe.z.tolist() == [5.08, 5.31, 5.65, 5.93] and probe.data.tolist() == [9.33, 5.4, 3.31, 0.81]
    assert probe.error_high.tolist() == [2.06, 1.47, 2.74, 0.73] and probe.error_low.tolist() == [1.8, 1.4, 1.34, 0.48]
    assert probe.papers == ("2308.04614",)


def test_the_rates_of_gaikwad_are_in_units_of_1e_12_per_second():
    probe = PhotoionizationRate()
    assert len(probe.z) == 12 and probe.data[-1] == pytest.approx(0.145)
    assert (probe.error_high[-1], probe.error_low[-1]) == pytest.approx((0.157, 0.087))
    emissivity = IonizingEmissivity()
    assert emissivity.data[-1] == pytest.approx(7.01) and emissivity.error_high[0] == pytest.approx(3.04)


def test_without_a_model_error_the_rows_are_half_gaussians():
    probe = MeanFreePath()
    model = np.array([[10.0, 5.0, 3.31, 0.1], [1.0, 2.0, 9.0, 0.9]])
    width = np.where(model > probe.data, probe.error_high, probe.error_low)
    expected = -0.5 * np.sum(((model - probe.data) / width) ** 2, axis=1)
    np.testing.assert_allclose(log_likelihood(probe, model), expected, rtol=1e-10)


def by_integration(probe, model, mode):
    """ln int da N(a) prod_i L_i(m_i + a u_i), by a sum over a fine grid."""
    a = np.linspace(-9.0, 9.0, 60_001)[:, None]
    moved = model + a * mode
    width = np.where(moved > probe.data, probe.error_high, probe.error_low)
    log_l = -0.5 * np.sum(((moved - probe.data) / width) ** 2, axis=1) - 0.5 * a[:, 0] ** 2 - 0.5 * np.log(2 * np.pi)
    return np.log(np.sum(np.exp(log_l - log_l.max())) * (a[1, 0] - a[0, 0])) + log_l.max()


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_the_error_of_the_model_is_common_to_all_redshifts(scale):
    probe = PhotoionizationRate(modelling_fraction=0.3)
    model = scale * probe.data
    assert log_likelihood(probe, model[None])[0] == pytest.approx(by_integration(probe, model, 0.3 * model), abs=1e-6)


def test_an_error_that_all_share_does_not_average_away():
    """Twelve rows that are 30 % too high: one standard deviation of the model, not twelve."""
    common, none = PhotoionizationRate(modelling_fraction=0.3), PhotoionizationRate(modelling_fraction=0.0)
    model = 1.6 * common.data[None]
    assert log_likelihood(none, model)[0] - log_likelihood(none, common.data[None])[0] < -1.5
    loss = log_likelihood(common, model)[0] - log_likelihood(common, common.data[None])[0]
    assert -1.5 < loss < -0.3


def test_the_emulators_modes_are_common_as_well():
    probe = MeanFreePath()
    model, mode = probe.data * 1.2, 0.2 * probe.data
    found = log_likelihood(probe, model[None], mode[None], mode[None, None])[0]
    assert found == pytest.approx(by_integration(probe, model, mode), abs=1e-6)
    unknown = log_likelihood(probe, model[None], mode[None])[0]  # an unknown correlation is taken as common
    assert unknown == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("make", PROBES)
def test_data_without_noise_are_the_truth_and_are_read_again(make, tmp_path):
    probe = make()
    truth = 0.7 * probe.data[None]
    mock = probe.simulate({probe.observable: Prediction(truth)}, {}, None)
    np.testing.assert_allclose(mock.data, truth[0])
    again = make(catalog=str(tmp_path / mock.save(tmp_path, "again")["catalog"]))
    np.testing.assert_allclose(log_likelihood(again, truth), log_likelihood(mock, truth), atol=1e-9)
    np.testing.assert_allclose(probe.data, make().data)  # the original is unchanged


def test_rows_are_chosen_by_paper_and_redshift():
    assert MeanFreePath(references=("Becker+2021",)).z.tolist() == [5.1, 6.0]
    assert PhotoionizationRate(z_min=5.55, z_max=5.85).z.tolist() == [5.6, 5.7, 5.8]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"references": ("Zhu+2024",)}, r"'mean_free_path' has no 'Zhu\+2024'.*Did you mean 'Zhu\+2023'"),
        ({"z_min": 7.0}, "leave nothing of"),
        ({"references": ()}, "leave nothing"),
        ({"modelling_fraction": -0.1}, "modelling_fraction"),
    ],
)
def test_what_the_catalog_does_not_have_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        MeanFreePath(**options)


def own(tmp_path, unit="Mpc", **columns):
    made = {"reference": ["Mine+26"], "z": [5.5], "lambda_mfp": [3.0], "err_up": [1.0], "err_lo": [1.0]} | columns
    table = Table(made)
    for name in ("lambda_mfp", "err_up", "err_lo"):
        table[name].unit = unit
    table.write(tmp_path / "mine.ecsv", format="ascii.ecsv")
    return MeanFreePath(str(tmp_path / "mine.ecsv"), references=("Mine+26",))


def test_a_file_of_ones_own_is_converted_to_proper_mpc(tmp_path):
    assert own(tmp_path, unit="kpc", lambda_mfp=[3000.0]).data[0] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"err_up": [0.0]}, r"row 1 \(Mine\+26\): the column 'err_up' is 0"),
        ({"lambda_mfp": [float("nan")]}, "no number in the column 'lambda_mfp'"),
        ({"unit": "s"}, "is needed in 'Mpc' but has the unit 's'"),
    ],
)
def test_a_number_without_meaning_is_refused_with_its_row(tmp_path, columns, message):
    with pytest.raises(DataError, match=message):
        own(tmp_path, **columns)


def test_the_data_of_one_analysis_warn():
    grid = Axis("z", np.linspace(4.5, 9.0, 46))
    made = {
        Observable("gamma_hi", (grid,), "1e-12 / s"): lambda t: np.ones((len(t), 46)),
        Observable("n_ion_dot", (grid,), "1e50 / (Mpc3 s)"): lambda t: np.ones((len(t), 46)),
        Observable("x_hi", (grid,)): lambda t: np.repeat(t, 46, axis=1),
    }
    stub = Stub(("x",), made)
    for probes in (
        {"rate": PhotoionizationRate(), "emissivity": IonizingEmissivity()},
        {"rate": PhotoionizationRate(), "x_hi": NeutralFraction(references=("Gaikwad+2023",))},
    ):
        with pytest.warns(DoubleCountingWarning, match="Lyman-alpha forest opacity"):
            Model(uniform(x=(0.0, 1.0)), {"s": stub}, probes)
    Model(uniform(x=(0.0, 1.0)), {"s": stub}, {"rate": PhotoionizationRate(), "x_hi": NeutralFraction()})


def test_its_picture_has_all_rows():
    (panel,) = PhotoionizationRate().panels()
    assert len(panel.x) == 12 and panel.y_log and panel.curve.unit == "1e-12 / s"
