"""The probe of any table: its likelihood against direct formulae and integrals, its files, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table as AstropyTable
from helpers import Stub, Z, uniform

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.core.provider import Prediction
from astroemu.errors import AstroemuError, ConfigurationError
from astroemu.inference.configuration import load_configuration
from astroemu.inference.stored_inputs import input_files
from astroemu.model.backends.base import BACKENDS, load_backend
from astroemu.model.model import Model
from astroemu.testing.probe import check_probe
from astroemu_probes.neutral_fraction import NeutralFraction
from astroemu_probes.table import Table

SLOW = pytest.mark.slow
DATA = {
    "z": np.array([6.0, 7.0, 8.0, 9.0]),
    "value": [0.1, 0.5, 0.8, 0.95],
    "err_up": [0.1, 0.2, 0.1, 0.02],
    "err_lo": [0.05, 0.1, 0.1, 0.05],
}
COVARIANCE = 0.01 * np.array([[4.0, 1, 0, 0], [1, 2, 0.5, 0], [0, 0.5, 3, 0], [0, 0, 0, 1]])
MODEL = np.array([[0.2, 0.45, 0.9, 0.9], [0.05, 0.6, 0.7, 0.99]])
MODE = np.array([0.05, 0.1, 0.1, 0.02])


def ecsv(path, columns, units=None):
    table = AstropyTable(columns)
    for name in table.colnames:
        table[name].description = name
    for name, unit in (units or {}).items():
        table[name].unit = unit
    table.write(path, format="ascii.ecsv", overwrite=True)
    return str(path)


def made(tmp_path, data=DATA, units=None, **options):
    catalog = ecsv(tmp_path / "mine.ecsv", data, units)
    return Table(**{"catalog": catalog, "observable": "x_hi", "axes": {"z": ""}, **options})


def without(*names, **more):
    return {key: value for key, value in DATA.items() if key not in names} | more


def symmetric(**more):
    return without("err_up", "err_lo", error=[0.1, 0.2, 0.1, 0.1], **more)


def of_form(tmp_path, form, **options):
    """The probe with one of the forms of errors."""
    if form == "covariance":
        file = ecsv(tmp_path / "cov.ecsv", {f"c{i}": row for i, row in enumerate(COVARIANCE)})
        return made(tmp_path, without("err_up", "err_lo"), covariance=file, **options)
    limits = symmetric(kind=["upper", "measurement", "measurement", "lower"])
    return made(tmp_path, {"split": DATA, "symmetric": symmetric(), "limits": limits}[form], **options)


def log_likelihood(probe, value, error=None, modes=None):
    return probe.log_likelihood({"x_hi": Prediction(np.atleast_2d(value), error, modes)}, {}, NUMPY)


def half_gaussians(m, probe, low, high):
    return -0.5 * np.sum(((m - probe.datum) / np.where(m > probe.datum, high, low)) ** 2, axis=-1)


def by_integration(probe, model, mode, low, high):
    """ln int da N(a) prod_i L_i(m_i + a u_i), by a sum over a fine grid."""
    a = np.linspace(-9.0, 9.0, 40_001)[:, None]
    log_l = half_gaussians(model + a * mode, probe, low, high) - 0.5 * a[:, 0] ** 2 - 0.5 * np.log(2 * np.pi)
    return np.log(np.sum(np.exp(log_l - log_l.max())) * (a[1, 0] - a[0, 0])) + log_l.max()


def test_measurements_are_half_gaussians(tmp_path):
    probe = made(tmp_path)
    expected = half_gaussians(MODEL, probe, np.array(DATA["err_lo"]), np.array(DATA["err_up"]))
    np.testing.assert_allclose(log_likelihood(probe, MODEL), expected, rtol=1e-12)


def test_the_emulators_mode_is_common_to_all_rows(tmp_path):
    probe = made(tmp_path)
    for model in MODEL:
        expected = by_integration(probe, model, MODE, probe.rows.low, probe.rows.high)
        assert log_likelihood(probe, model, MODE[None], MODE[None, None])[0] == pytest.approx(expected, abs=1e-5)
        assert log_likelihood(probe, model, MODE[None])[0] == pytest.approx(expected, abs=1e-5)  # unknown: common


def test_a_fraction_of_the_model_is_a_common_error(tmp_path):
    probe = made(tmp_path, modelling_fraction=0.2)
    expected = by_integration(probe, MODEL[0], 0.2 * MODEL[0], probe.rows.low, probe.rows.high)
    assert log_likelihood(probe, MODEL[0])[0] == pytest.approx(expected, abs=1e-5)


def test_many_rows_are_integrated_by_quadrature(tmp_path):
    n = 60
    data = {"z": np.linspace(6, 9, n), "value": np.linspace(0.1, 0.9, n), "err_up": [0.2] * n, "err_lo": [0.1] * n}
    probe = made(tmp_path, data)
    model, mode = probe.datum + 0.05, np.full(n, 0.03)
    expected = by_integration(probe, model, mode, probe.rows.low, probe.rows.high)
    assert log_likelihood(probe, model, mode[None])[0] == pytest.approx(expected, abs=2e-3)


def test_independent_errors_are_added_to_the_bars(tmp_path):
    probe, error = made(tmp_path, correlation="independent"), np.full((2, 4), 0.1)
    low, high = np.hypot(probe.rows.low, 0.1), np.hypot(probe.rows.high, 0.1)
    norm = np.sum(np.log((low + high) / (probe.rows.low + probe.rows.high)))
    expected = half_gaussians(MODEL, probe, low, high) - norm
    np.testing.assert_allclose(log_likelihood(probe, MODEL, error), expected, rtol=1e-9)


def normal(residual, covariance, reference):
    chi2 = np.einsum("ni,ij,nj->n", residual, np.linalg.inv(covariance), residual)
    return -0.5 * chi2 - 0.5 * (np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(reference)[1])


@pytest.mark.parametrize("rest", [0.0, 0.03])
@pytest.mark.parametrize("form", ["symmetric", "covariance"])
def test_symmetric_errors_and_a_covariance_are_exact_for_any_modes(tmp_path, form, rest):
    probe = of_form(tmp_path, form)
    sigma = COVARIANCE if form == "covariance" else np.diag([0.1, 0.2, 0.1, 0.1]) ** 2
    modes = np.array([[0.05, 0.1, 0.1, 0.02], [0.03, 0.0, -0.05, 0.1]])
    error, residual = np.sqrt(np.sum(modes**2, axis=0) + rest**2), MODEL - probe.datum
    np.testing.assert_allclose(log_likelihood(probe, MODEL), normal(residual, sigma, sigma), rtol=1e-10)
    found = log_likelihood(probe, MODEL, np.tile(error, (2, 1)), np.tile(modes, (2, 1, 1)))
    whole = sigma + modes.T @ modes + rest**2 * np.eye(4)
    np.testing.assert_allclose(found, normal(residual, whole, sigma), rtol=1e-9)


def test_a_covariance_may_stand_in_columns_of_the_table(tmp_path):
    columns = {f"c_{i}": row for i, row in enumerate(COVARIANCE)}
    probe = made(tmp_path, without("err_up", "err_lo") | columns, covariance_columns="c_")
    np.testing.assert_array_equal(probe.covariance, COVARIANCE)


def test_a_limit_with_a_tail_and_one_at_a_confidence(tmp_path):
    """The same numbers as those of the probe for neutral fractions."""
    columns = {
        "z": [6.0, 6.5, 7.0, 7.5],
        "value": [0.1, 0.4, 0.3, 0.5],
        "err_up": [0.05, np.nan, np.nan, 0.1],
        "err_lo": [np.nan, np.nan, np.nan, 0.2],
        "kind": ["upper", "upper", "lower", "measurement"],
        "cl": [np.nan, 0.68, 0.95, np.nan],
    }
    probe = made(tmp_path, columns, floor=0.0, ceiling=1.0)
    theirs = {("x_HI" if k == "value" else k): v for k, v in columns.items()}
    other = NeutralFraction(ecsv(tmp_path / "x.ecsv", theirs | {"reference": ["A"] * 4}), references=("A",))
    model = np.random.default_rng(0).uniform(0, 1, (50, 4))
    expected = other.log_likelihood({"x_hi": Prediction(model)}, {}, NUMPY)
    np.testing.assert_allclose(log_likelihood(probe, model), expected, rtol=1e-9, atol=1e-12)
    (panel,) = probe.panels()
    assert panel.kind == ("upper", "upper", "lower", "measurement") and panel.y.tolist() == columns["value"]


def test_one_number_needs_no_axis(tmp_path):
    probe = Table(ecsv(tmp_path / "tau.ecsv", {"value": [0.06], "error": [0.01]}), "tau_e", latex=r"\tau_e")
    model = Model(uniform(tau_e=(0.0, 0.2)), {}, {"tau": probe})
    np.testing.assert_allclose(model.log_likelihood(np.array([[0.06], [0.08]])), [0.0, -2.0], atol=1e-12)
    (panel,) = probe.panels()
    assert panel.curve_x is None and panel.y.tolist() == [0.06] and panel.x_label == r"$\tau_e$"


def test_rows_are_chosen_and_the_covariance_with_them(tmp_path):
    file = ecsv(tmp_path / "cov.ecsv", {f"c{i}": row for i, row in enumerate(COVARIANCE)})
    data = without("err_up", "err_lo", paper=["A", "B", "A", "A"])
    probe = made(tmp_path, data, covariance=file, select={"paper": ("A",)}, ranges={"z": (7.0, 9.0)})
    assert probe.requires["x_hi"].at["z"].tolist() == [8.0, 9.0]
    np.testing.assert_array_equal(probe.covariance, COVARIANCE[2:, 2:])


def test_columns_of_other_names_and_units_are_converted(tmp_path):
    columns = {"redshift": [7.0, 8.0], "wave": [0.1, 0.2], "power": [1e-6, 4e-6], "sigma": [1e-6, 2e-6]}
    units = {"wave": "1/kpc", "power": "K2", "sigma": "K2"}
    names = {"z": "redshift", "k": "wave", "value": "power", "error": "sigma"}
    probe = Table(
        ecsv(tmp_path / "p.ecsv", columns, units), "delta21_sq", "mK^2", axes={"z": "", "k": "1/Mpc"}, columns=names
    )
    np.testing.assert_allclose(probe.requires["delta21_sq"].at["k"], [100.0, 200.0])
    np.testing.assert_allclose(probe.datum, [1.0, 4.0])
    first, _ = probe.panels()
    assert first.title == "delta21_sq, z = 7" and first.x_label == "k [1/Mpc]" and first.y_label == "delta21_sq [mK^2]"


def test_many_places_share_one_panel(tmp_path):
    n = 12
    columns = {"z": np.linspace(6, 7, n), "k": np.linspace(0.1, 0.2, n), "value": np.ones(n), "error": np.ones(n)}
    catalog = ecsv(tmp_path / "p.ecsv", columns, {"k": "1/Mpc", "value": "mK2", "error": "mK2"})
    (panel,) = Table(catalog, "delta21_sq", "mK^2", axes={"z": "", "k": "1/Mpc"}).panels()
    assert panel.x_label == "row" and panel.curve.size == n == len(panel.curve_x)


FORMS = ["split", "symmetric", "covariance", "limits"]


@pytest.mark.parametrize("form", FORMS)
def test_data_without_noise_are_the_truth_and_are_read_again(tmp_path, form):
    probe = of_form(tmp_path, form)
    mock = probe.simulate({"x_hi": Prediction(MODEL[:1])}, {}, None)
    np.testing.assert_allclose(mock.datum[~probe.is_limit], MODEL[0][~probe.is_limit])
    np.testing.assert_array_equal(mock.datum[probe.is_limit], probe.datum[probe.is_limit])
    saved = mock.save(tmp_path, "again")
    again = Table(**{"observable": "x_hi", "axes": {"z": ""}, **saved, "catalog": str(tmp_path / saved["catalog"])})
    np.testing.assert_allclose(log_likelihood(again, MODEL), log_likelihood(mock, MODEL), rtol=1e-9)


@pytest.mark.parametrize("correlation", ["common", "independent"])
@pytest.mark.parametrize("form", FORMS)
def test_each_seed_draws_its_own_data(tmp_path, form, correlation):
    probe = of_form(tmp_path, form, correlation=correlation)
    for error in (None, np.full((1, 4), 0.05)):
        given = {"x_hi": Prediction(MODEL[:1], error)}
        drawn = [probe.simulate(given, {}, np.random.default_rng(seed)).datum for seed in (1, 1, 2)]
        assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])


def test_mock_limits_count_as_the_probability_of_their_outcome(tmp_path):
    probe = of_form(tmp_path, "limits")
    found = probe.log_normalisation({"x_hi": Prediction(MODEL, np.tile(MODE, (2, 1)))}, {})
    low, high = (np.where(probe.is_limit, width, 1e100) for width in (probe.rows.low, probe.rows.high))
    expected = [by_integration(probe, model, MODE, low, high) for model in MODEL]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    exact = probe.log_normalisation({"x_hi": Prediction(MODEL)}, {})
    np.testing.assert_allclose(exact, half_gaussians(MODEL, probe, low, high), rtol=1e-9, atol=1e-12)


def test_limits_alone_draw_no_data(tmp_path):
    probe = made(tmp_path, symmetric(kind=["upper"] * 4))
    with pytest.raises(NotImplementedError, match="limits state no datum"):
        probe.simulate({"x_hi": Prediction(MODEL[:1])}, {}, None)


TOML = """
[emulators.acg]
[probes.mine]
plugin = "table"
catalog = "mine.ecsv"
observable = "x_hi"
axes = { z = "" }
[probes.tau]
plugin = "table"
catalog = "tau.ecsv"
observable = "tau_e"
[parameters]
log10_f_star10 = { distribution = "uniform", low = -2.0, high = -0.5 }
alpha_star = { distribution = "fixed", value = 0.5 }
log10_f_esc10 = { distribution = "uniform", low = -2.0, high = 0.0 }
alpha_esc = { distribution = "fixed", value = 0.0 }
log10_m_turn = { distribution = "fixed", value = 8.7 }
t_star = { distribution = "fixed", value = 0.5 }
log10_l_x = { distribution = "fixed", value = 40.5 }
e_0_keV = { distribution = "fixed", value = 0.5 }
alpha_x = { distribution = "fixed", value = 1.0 }
"""


def test_two_tables_are_two_probes_of_one_configuration(tmp_path):
    ecsv(tmp_path / "mine.ecsv", DATA)
    ecsv(tmp_path / "tau.ecsv", {"value": [0.06], "error": [0.01]})
    (tmp_path / "fit.toml").write_text(TOML)
    configuration = load_configuration(tmp_path / "fit.toml")
    model = configuration.model()
    theta = model.prior.sample(20, np.random.default_rng(0))
    assert list(model.log_likelihood_by_probe(theta)) == ["mine", "tau"]
    assert np.all(np.isfinite(model.log_likelihood(theta)))
    assert {file.path.rpartition("/")[2] for file in input_files(configuration)} == {"mine.ecsv", "tau.ecsv"}


@pytest.mark.parametrize("form", FORMS)
def test_it_passes_the_conformance_kit(tmp_path, form):
    check_probe(of_form(tmp_path, form)).demand()


@pytest.mark.parametrize("name", [pytest.param("tensorflow", marks=SLOW), "jax"])
@pytest.mark.parametrize("form", [pytest.param("split", marks=SLOW), "covariance", pytest.param("limits", marks=SLOW)])
def test_compiled_values_and_gradients_are_those_of_numpy(tmp_path, form, name, monkeypatch):
    pytest.importorskip(BACKENDS[name][1])
    monkeypatch.setenv("KERAS_BACKEND", name)
    backend, probe = load_backend(), of_form(tmp_path, form, modelling_fraction=0.1)
    rng = np.random.default_rng(0)
    x = MODEL[0] + rng.normal(0, 0.1, (8, 4))
    error, modes = np.full(x.shape, 0.08), rng.normal(0, 0.03, (8, 2, 4))

    def log_l(values, xp):
        return probe.log_likelihood({"x_hi": Prediction(values, error, modes)}, {}, xp)

    value, gradient = backend.compile(backend.with_gradient(lambda values: log_l(values, backend.xp)), (x,))(x)
    np.testing.assert_allclose(value, log_l(x, NUMPY), rtol=1e-8)
    step = 1e-5 * rng.normal(size=x.shape)
    expected = (log_l(x + step, NUMPY) - log_l(x - step, NUMPY)) / 2
    np.testing.assert_allclose(np.sum(gradient * step, axis=1), expected, rtol=1e-3, atol=1e-9)


BARE = DATA | {"kind": ["upper"] * 4, "err_up": [np.nan] * 4}
COLUMNS = {f"c_{i}": row for i, row in enumerate(COVARIANCE)}
OF_COLUMNS = {"covariance_columns": "c_"}


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (without("value", valu=[1.0] * 4), {}, "has no column 'value'. Did you mean 'valu'"),
        (without("err_up", "err_lo"), {}, "has no errors: a column 'error', or 'err_up' and 'err_lo', is needed"),
        (without("err_up"), {}, "has 'err_lo' alone; both"),
        (DATA | {"error": [0.1] * 4}, {}, "has 'error', and 'err_up' and 'err_lo' too"),
        (DATA | {"err_up": [0.1, 0.0, 0.1, 0.1]}, {}, "row 2: the column 'err_up' is 0; it must be above 0"),
        (DATA | {"kind": ["upper", "limit", "upper", "upper"]}, {}, "the column 'kind' is 'limit'"),
        (BARE, {"floor": 0.0}, "rows 1, 2, 3, 4: a limit needs the width of its tail, or its confidence"),
        (BARE | {"cl": [0.68] * 4}, {}, "floor is missing: 4 upper limit"),
        (BARE | {"cl": [0.68] * 4}, {"floor": 0.9}, "rows 1, 2, 3: the upper limit is not on the right side of floor"),
        (BARE | {"cl": [68.0] * 4}, {"floor": 0.0}, "give 0.68"),
        (DATA, {"columns": {"valu": "x"}}, "columns.valu: no such role. Did you mean 'value'"),
        (DATA, {"columns": {"value": "x_HI"}}, "has no column 'x_HI'"),
        (DATA, {"axes": {"value": ""}}, "axes.value: the name is that of a column of data"),
        (DATA, {"axes": {"z": "Mpc"}}, "'z' is needed in 'Mpc' but states no unit"),
        (DATA, {"unit": "mK"}, "is needed in 'mK' but states no unit"),
        (DATA, {"select": {"pape": ("A",)}}, "select.pape: 'mine.ecsv' has no such column"),
        (DATA | {"paper": ["A"] * 4}, {"select": {"paper": ("B",)}}, "select.paper: 'mine.ecsv' has no 'B'"),
        (DATA, {"ranges": {"z": (20.0, 30.0)}}, "leave none of the 4 rows"),
        (DATA | {"paper": ["A"] * 4}, {"ranges": {"paper": (0.0, 1.0)}}, "holds no numbers; use select.paper"),
        (DATA, {"rule": {"x": "cubic"}}, "rule.x: there is no axis 'x'"),
        (DATA, {"outside": {"x": "hold"}}, "outside.x: there is no axis 'x'"),
        (DATA, {"modelling_fraction": -1.0}, "modelling_fraction"),
        (DATA, {"covariance": "a.ecsv", "covariance_columns": "c_"}, "both give a covariance"),
        (DATA, OF_COLUMNS, "has 4 rows and 0 columns that begin with 'c_', but the covariance of 4"),
        (
            DATA | COLUMNS | {"c_0": [-1.0, 0, 0, 0]},
            OF_COLUMNS,
            "the variance in row 1 of the covariance is not above 0",
        ),
        (DATA | COLUMNS | {"c_0": [0.04, 0.02, 0, 0]}, OF_COLUMNS, "not symmetric in row 1, column 2"),
        (DATA | {f"c_{i}": [1.0] * 4 for i in range(4)}, OF_COLUMNS, "the covariance is not positive definite"),
        (DATA | COLUMNS | {"kind": ["upper"] * 4}, OF_COLUMNS, "a covariance is possible for measurements only"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, data, options, message):
    with pytest.raises(AstroemuError, match=message):
        made(tmp_path, data, **options)


def test_an_axis_that_the_observable_does_not_have_is_named(tmp_path):
    stub = Stub(("a",), {Observable("x_hi", (Axis("redshift", Z),)): lambda theta: theta + 0.0 * Z})
    with pytest.raises(ConfigurationError, match="has the axes 'redshift', not 'z'"):
        Model(uniform(a=(0.0, 1.0)), {"stub": stub}, {"mine": made(tmp_path)})
