"""21-cm power spectrum: 21CMMC's definition written out slowly, the options, and detections."""

from __future__ import annotations

import math

import h5py
import numpy as np
import pytest
from helpers import POWER, K, Stub, Z, uniform
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import RectBivariateSpline
from scipy.linalg import block_diag
from scipy.stats import kstest, multivariate_normal

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError, ResolutionError
from astroemu.model.model import Model
from astroemu_catalogs import HERA_H1C_IDR3
from astroemu_probes.power_spectrum_21cm import PowerSpectrum21cm


def power(theta):
    """Smooth and positive in z and k, with a dip that wanders with the second parameter."""
    amplitude, phase = theta[:, 0, None, None], theta[:, 1, None, None]
    shape = (K / 0.3) ** (0.5 + 0.1 * np.sin(Z[:60, None] + phase))
    return amplitude * shape * (1.2 + np.sin(0.8 * Z[:60, None] + phase)) * (1.1 + 0.5 * np.cos(2 * np.log(K) + phase))


def stub(error=None):
    errors = {} if error is None else {"delta21_sq": error}
    return Stub(("amplitude", "phase"), {POWER: power}, errors=errors)


def model(provider=None, emulator_error=True, **options):
    prior = uniform(amplitude=(0.0, 1e12), phase=(-4.0, 4.0))
    probe = PowerSpectrum21cm(**options)
    return Model(prior, {"stub": provider or stub()}, {"hera": probe}, emulator_error=emulator_error)


def slow(theta):
    """ln L as 21CMMC 1.0.0 writes it, datum by datum; None where 0.5 (1 + erf) underflows."""
    found = RectBivariateSpline(Z[:60], K, power(np.array([theta]))[0])
    total = 0.0
    with h5py.File(HERA_H1C_IDR3.path) as file:
        for band in ("band1", "band2"):
            z = file[band].attrs["redshift"]
            for field in file[band].values():
                at = [float(found(z, min(max(k, K[0]), K[-1]))[0, 0]) for k in field["k_window"][()]]
                for d, variance, row in zip(field["delta2"], field["variance"], field["window"], strict=True):
                    m = sum(w * p for w, p in zip(row, at, strict=True))
                    s = math.sqrt(variance + (0.2 * m) ** 2)
                    likelihood = 0.5 + 0.5 * math.erf((d - m) / (math.sqrt(2) * s))
                    # Far in the tail 1 + erf cancels; erfc is the same number with all its digits.
                    likelihood = likelihood if likelihood > 0.01 else 0.5 * math.erfc((m - d) / (math.sqrt(2) * s))
                    total += math.log(likelihood)
    return total


#: The form of 21CMMC.
PUBLISHED = {"redshift_rule": "spline", "modelling_correlation": "independent", "window_norm": "as given"}
THETA = [(0.3, 0.0), (40.0, 1.0), (300.0, -1.0), (3e3, 2.5), (2e5, 0.2)]


def test_zero_signal_gives_the_known_constant_over_173_bins():
    for options in (PUBLISHED, {}):
        tested = model(**options)
        assert len(tested.probes["hera"].data) == 173
        assert tested.log_likelihood(np.array([[0.0, 0.0]]))[0] == pytest.approx(-59.80, abs=0.005)


@pytest.mark.parametrize("theta", THETA)
def test_it_is_the_definition_of_21cmmc(theta):
    found = model(**PUBLISHED).log_likelihood(np.array([theta]))[0]
    assert found == pytest.approx(slow(theta), rel=1e-9, abs=1e-9)


def test_the_two_rules_in_redshift_agree_for_a_smooth_spectrum():
    spline, cubic = (model(redshift_rule=rule).log_likelihood(np.array(THETA)) for rule in ("spline", "cubic"))
    np.testing.assert_allclose(cubic, spline, atol=0.01, rtol=1e-4)
    assert np.any(cubic != spline)


def test_a_cubic_in_redshift_needs_few_rows_only():
    local, wide = stub(), stub()
    model(local)
    model(wide, redshift_rule="spline")
    # Four redshifts a band, eight in all; a spline takes every one.
    assert len(local.asked["delta21_sq"]) == 8 * 12 and len(wide.asked["delta21_sq"]) == 60 * 12


@pytest.mark.parametrize("fraction", [0.0, 0.2])
@pytest.mark.parametrize("phase", [0.0, 1.5])
def test_the_tail_is_finite_and_falls(fraction, phase):
    amplitude = np.concatenate([[0.0], np.geomspace(1.0, 1e12, 60)])
    theta = np.column_stack([amplitude, np.full(61, phase)])
    found = model(modelling_fraction=fraction).log_likelihood(theta)
    # The integral over the common error is accurate to 1e-3.
    assert np.all(np.isfinite(found)) and np.all(np.diff(found) <= 2e-3)
    # With an error of a fifth of the model each band saturates at five sigma; without, nothing stops the fall.
    assert (found[-1] < -1e10) if fraction == 0 else (found[0] - 2 * 30 < found[-1] < found[0] - 2 * 13)


def test_the_tail_falls_for_negative_data_too(shared_data):
    """With an error that grows with the model ln Phi((d - m) / s) alone would rise again at d < 0."""
    theta = np.column_stack([np.geomspace(1.0, 1e9, 80), np.zeros(80)])
    for correlation, noise in (("independent", 0.0), ("common", 5e-3)):
        tested = model(catalog=str(shared_data / "hera_h1c_idr3_official.h5"), modelling_correlation=correlation)
        assert np.any(tested.probes["hera"].data < 0)
        assert np.all(np.diff(tested.log_likelihood(theta)) <= noise)


@pytest.mark.parametrize("likelihood", ["upper_limit", "gaussian"])
def test_the_emulators_error_enters_a_batch_as_it_enters_one_point(likelihood):
    provider = stub(lambda theta: 0.5 * power(theta))
    theta = np.array(THETA[1:4])
    tested = model(provider, likelihood=likelihood)
    batch = tested.log_likelihood(theta)
    np.testing.assert_allclose(np.concatenate([tested.log_likelihood(t[None]) for t in theta]), batch, rtol=1e-8)
    without = model(provider, emulator_error=False, likelihood=likelihood).log_likelihood(theta)
    assert np.all(np.abs(batch - without) > 1e-6)
    np.testing.assert_allclose(model(likelihood=likelihood).log_likelihood(theta), without, rtol=1e-12)


def test_the_error_goes_through_the_windows_as_fully_correlated():
    """s^2 = sigma^2 + (f m)^2 + (W e)^2 as in 21CMMC: with e = 0.5 P the last is (0.5 m)^2."""
    theta = np.array(THETA)
    for correlation in ("independent", "common"):
        options = {"modelling_correlation": correlation}
        found = model(stub(lambda theta: 0.5 * power(theta)), modelling_fraction=0.0, **options).log_likelihood(theta)
        np.testing.assert_allclose(found, model(modelling_fraction=0.5, **options).log_likelihood(theta), rtol=1e-6)


def test_beyond_the_emulated_k_can_be_refused_or_cut():
    with pytest.raises(ResolutionError, match=r"'hera'.*'delta21_sq', axis 'k'.*\[0\.03821, 1\.09792\].*k_max.*hold"):
        model(beyond_k="error")
    cut = model(beyond_k="error", k_max=0.9)
    with h5py.File(HERA_H1C_IDR3.path) as file:
        expected = sum(int(np.sum(f["k"][()] <= 0.9)) for band in file.values() for f in band.values())
    assert len(cut.probes["hera"].data) == expected < 173
    held = model(k_max=0.9)
    np.testing.assert_allclose(cut.log_likelihood(np.array(THETA)), held.log_likelihood(np.array(THETA)), rtol=1e-12)


@pytest.mark.parametrize("limits", [(0.0, 0.9), (0.4, np.inf), (0.3, 0.6)])
def test_k_min_and_k_max_cut_the_data_and_leave_the_rest_as_it_was(limits):
    k_min, k_max = limits
    theta = np.array(THETA)
    whole, part = model(), model(k_min=k_min, k_max=k_max)
    with h5py.File(HERA_H1C_IDR3.path) as file:
        k = np.concatenate([f["k"][()] for band in file.values() for f in band.values()])
    keep = (k >= k_min) & (k <= k_max)
    probe = part.probes["hera"]
    np.testing.assert_array_equal(probe.data, whole.probes["hera"].data[keep])
    np.testing.assert_array_equal(probe.sigma, whole.probes["hera"].sigma[keep])
    requirement = {"it": probe.requires["delta21_sq"]}, {"it": whole.probes["hera"].requires["delta21_sq"]}
    cut, full = (whole.predict_for(r, theta)["it"] for r in requirement)
    # Leakage of 1e-5 a window element is dropped with the data.
    np.testing.assert_allclose(cut, full[:, keep], rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"bands": ("band2",)}, 80),
        ({"bands": ("band1",)}, 93),
        ({"fields": ("A",)}, 18 + 16),
        ({"fields": ("C", "D"), "bands": ("band1",)}, 38),
        ({"fields": ("A", "B", "C", "D", "E"), "bands": ("band1", "band2")}, 173),
    ],
)
def test_bands_and_fields_can_be_chosen(options, size):
    assert len(PowerSpectrum21cm(**options).data) == size


def test_bands_and_fields_add_up():
    theta = np.array(THETA)
    independent = {"modelling_correlation": "independent"}
    parts = [
        model(bands=(b,), fields=(f,), **independent).log_likelihood(theta) for b in ("band1", "band2") for f in "ABCDE"
    ]
    np.testing.assert_allclose(sum(parts), model(**independent).log_likelihood(theta), rtol=1e-12)
    # Fields share the model of their band, and bands do not.
    bands = [model(bands=(b,)).log_likelihood(theta) for b in ("band1", "band2")]
    np.testing.assert_allclose(sum(bands), model().log_likelihood(theta), rtol=0, atol=1e-4)  # other expansions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bands": ("band3",)}, r"bands: 'hera_h1c_idr3' has no 'band3'.*Did you mean 'band[12]'.*'band1', 'band2'"),
        ({"fields": ("F",)}, r"fields: .* has no 'F'.*'A', 'B', 'C', 'D', 'E'"),
        ({"k_max": 0.01}, r"k_max = 0\.01 leave no data.*'band1/field_A'"),
        ({"k_min": 5.0}, "k_min = 5"),
        ({"modelling_fraction": -0.1}, r"modelling_fraction = -0\.1"),
    ],
)
def test_options_that_leave_nothing_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        PowerSpectrum21cm(**options)


@pytest.mark.parametrize("content", [{}, {"band1": {}}, {"band1": {"field_A": {"k": [1.0]}}}])
def test_a_file_of_another_form_is_refused(content, tmp_path):
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        for band, fields in content.items():
            file.create_group(band)
            for field, arrays in fields.items():
                for name, values in arrays.items():
                    file[f"{band}/{field}/{name}"] = values
    with pytest.raises((DataError, ConfigurationError), match=r"mine\.h5"):
        PowerSpectrum21cm(catalog=str(path))


def reference(probe, m, fraction, common):
    """Difference of normalised Gaussians, band by band: at the model, and at the data without errors."""
    total, start = 0.0, 0
    for band in ("band1", "band2"):
        fields = [f for f in probe._fields if f.band == band]
        d, covariance = np.concatenate([f.delta2 for f in fields]), block_diag(*(f.covariance for f in fields))
        part = m[start : start + len(d)]
        start += len(d)
        extra = fraction**2 * (np.outer(part, part) if common else np.diag(part**2))
        total += multivariate_normal.logpdf(part, d, covariance + extra) - multivariate_normal.logpdf(d, d, covariance)
    return total


@pytest.mark.parametrize("fraction", [0.0, 0.2])
@pytest.mark.parametrize("theta", THETA[:4])
@pytest.mark.parametrize("common", [False, True])
def test_a_detection_is_a_normalised_gaussian(theta, fraction, common):
    correlation = "common" if common else "independent"
    tested = model(likelihood="gaussian", modelling_fraction=fraction, modelling_correlation=correlation)
    probe = tested.probes["hera"]
    m = tested.predict_for({"it": probe.requires["delta21_sq"]}, np.array([theta]))["it"][0]
    found = tested.log_likelihood(np.array([theta]))[0]
    assert found == pytest.approx(reference(probe, m, fraction, common), rel=1e-8, abs=1e-8)


def test_a_detection_uses_the_full_covariance(shared_data):
    catalog = str(shared_data / "hera_h1c_idr3_official.h5")
    tested = model(catalog=catalog, likelihood="gaussian")
    probe = tested.probes["hera"]
    assert len(probe.data) == 5 * (37 + 32)
    assert all(np.any(f.covariance != np.diag(np.diag(f.covariance))) for f in probe._fields)
    m = tested.predict_for({"it": probe.requires["delta21_sq"]}, np.array(THETA[:3]))["it"]
    found = tested.log_likelihood(np.array(THETA[:3]))
    np.testing.assert_allclose(found, [reference(probe, row, 0.2, True) for row in m], rtol=1e-8)
    # A cut keeps the covariance of what is left.
    cut = PowerSpectrum21cm(catalog=catalog, likelihood="gaussian", k_max=0.6)
    inside = probe._fields[0].k <= 0.6
    np.testing.assert_array_equal(cut._fields[0].covariance, probe._fields[0].covariance[np.ix_(inside, inside)])


def limits(probe):
    """Lowest two-sigma limit by band, as published."""
    best = {}
    for f in probe._fields:
        lowest = float(np.min(np.maximum(f.delta2, 0) + 2 * np.sqrt(np.diag(f.covariance))))
        best[f.band] = min(lowest, best.get(f.band, np.inf))
    return best


def test_the_best_limits_are_the_published_ones(shared_data):
    """457 mK^2 at z = 7.9 and 3496 mK^2 at z = 10.4 (arXiv:2210.04912)."""
    official = limits(PowerSpectrum21cm(catalog=str(shared_data / "hera_h1c_idr3_official.h5")))
    assert official == {"band1": pytest.approx(3496, abs=1), "band2": pytest.approx(457, abs=1)}


def test_the_shipped_data_have_almost_the_published_limits():
    """The decimated copy of 21CMMC: 460.4 instead of 457 at z = 7.9 (shared/data/README.md)."""
    assert limits(PowerSpectrum21cm()) == {"band1": pytest.approx(3496, abs=1), "band2": pytest.approx(460.4, abs=0.5)}


def test_its_pictures_show_the_best_limit_of_each_band():
    first, second = PowerSpectrum21cm().panels()
    assert "10.37" in first.title and "field D" in first.title and first.y.min() == pytest.approx(3496, abs=1)
    assert "7.93" in second.title and "field C" in second.title and second.y.min() == pytest.approx(460.4, abs=0.5)
    assert set(first.kind) == {"upper"} and set(PowerSpectrum21cm(likelihood="gaussian").panels()[0].kind) == {
        "measurement"
    }


def test_no_points_give_no_likelihoods():
    for likelihood in ("upper_limit", "gaussian"):
        assert model(likelihood=likelihood).log_likelihood(np.zeros((0, 2))).shape == (0,)


def test_its_catalog_is_cited():
    assert PowerSpectrum21cm().catalogs[0].arxiv == ("2210.04912",)


def official(tmp_path, change=None, *, own_windows=False):
    """ln L at two points of a small file in HERA's official layout (or with windows of their own), after a change."""
    k, rng = np.linspace(0.2, 0.9, 8), np.random.default_rng(1)
    delta2 = 100 * rng.normal(size=8)
    covariance = 1e4 * (np.eye(8) + 0.3 * (np.eye(8, k=1) + np.eye(8, k=-1)))
    window = 0.8 * np.eye(8) + 0.1 * (np.eye(8, k=1) + np.eye(8, k=-1))
    valid = np.arange(8) > 2
    for array in (delta2, covariance):  # the source fills its first bins with zeros
        array[~valid] = 0.0
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        file.attrs["h"] = 0.7
        group = file.create_group("band1/field_A")
        file["band1"].attrs["redshift"] = 7.9
        units = {"delta2": "mK2", "covariance": "mK4", "window": ""}
        arrays = {"delta2": delta2, "covariance": covariance, "window": window, "valid": valid}
        arrays |= {"k": k, "k_window": k} if own_windows else {"k_mpc": k}
        for name, values in arrays.items():
            group[name] = values
            group[name].attrs["units"] = units.get(name, "1/Mpc" if name != "valid" else "")
        if change is not None:
            change(group)
    return model(catalog=str(path), likelihood="gaussian").log_likelihood(np.array(THETA[1:3]))


def put(name, values=None, **attributes):
    """A change of one dataset: its values, and its attributes (None removes one)."""

    def change(group):
        old = group[name][()] if values is None else values(group[name][()]) if callable(values) else values
        kept = {**group[name].attrs, **attributes}
        del group[name]
        group[name] = old
        group[name].attrs.update({key: value for key, value in kept.items() if value is not None})

    return change


def renamed(old, new, change=None):
    def rename(group):
        group.move(old, new)
        if change is not None:
            change(group)

    return rename


@pytest.mark.case(5)
@pytest.mark.parametrize("kind", ["u1", "i8", "f4", ">i4", "S5", "?"])
@pytest.mark.parametrize("own_windows", [False, True])
def test_a_mask_of_any_type_is_a_mask(tmp_path, kind, own_windows):
    found = official(tmp_path, put("valid", lambda values: values.astype(kind)), own_windows=own_windows)
    np.testing.assert_array_equal(found, official(tmp_path, own_windows=own_windows))
    whole = model(catalog=str(tmp_path / "mine.h5"), likelihood="gaussian").probes["hera"]
    assert len(whole.data) == 5 and whole._fields[0].k[0] == 0.5


@pytest.mark.case(5)
def test_the_official_file_with_a_mask_of_integers(shared_data, tmp_path):
    """Without a signal, ln L = -260.05, as with the mask of the source."""
    source, changed = shared_data / "hera_h1c_idr3_official.h5", tmp_path / "mine.h5"
    changed.write_bytes(source.read_bytes())
    with h5py.File(changed, "r+") as file:
        for band in ("band1", "band2"):
            for group in file[band].values():
                put("valid", lambda values: values.astype("u1"))(group)
    found, expected = (model(catalog=str(p)).log_likelihood(np.zeros((1, 2)))[0] for p in (changed, source))
    assert found == expected == pytest.approx(-260.0468, abs=1e-3)


FORMS = {
    "k in h/Mpc": put("k_mpc", lambda k: k / 0.7, units="h/Mpc"),
    "k in h/Mpc, with an h of its own": put("k_mpc", lambda k: k / 0.6727, units="h Mpc^-1", h=0.6727),
    "k under its short name": renamed("k_mpc", "k"),
    "k under its short name in h/Mpc": renamed("k_mpc", "k", put("k", lambda k: k / 0.7, units="h/Mpc")),
    "delta2 in K^2": put("delta2", lambda d: d * 1e-6, units="K^2"),
    "delta2 in uK2": put("delta2", lambda d: d * 1e6, units="uK2"),
    "covariance in K^4": put("covariance", lambda c: c * 1e-12, units="K4"),
    "delta2 packed": put("delta2", lambda d: d - 1000.0, add_offset=1000.0),
    "big-endian": put("delta2", lambda d: d.astype(">f8")),
    "no units": put("delta2", units=None),
    "NaN where it is not valid": put("delta2", lambda d: np.where(d == 0, np.nan, d)),
    "marked as missing where it is not valid": put("delta2", lambda d: np.where(d == 0, 1e20, d), _FillValue=1e20),
}


@pytest.mark.case(6)
@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_an_accepted_form_gives_the_value_of_the_plain_one(tmp_path, form):
    np.testing.assert_allclose(official(tmp_path, FORMS[form]), official(tmp_path), rtol=1e-9)


def without_h(group):
    del group.file.attrs["h"]
    put("k_mpc", units="h/Mpc")(group)


def bent(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


REFUSED = {
    "little h that is not stated": (without_h, r"k_mpc'.*'h/Mpc'. Here h is H0.*does not state its value"),
    "another unit": (put("delta2", units="Jy"), "delta2': is needed in 'mK.2' but has the unit 'Jy'"),
    "a window with a unit": (put("window", units="Mpc"), "window': is needed in 'no unit'"),
    "k without its unit": (renamed("k_mpc", "k", put("k", units=None)), "k': is needed in '1/Mpc' but states no unit"),
    "a missing number": (put("delta2", lambda d: bent(d, 5, np.nan)), "delta2': has no number .* at index 5"),
    "an infinite number": (put("window", lambda w: bent(w, (4, 6), np.inf)), r"window'.*infinite.*at index \(4, 6\)"),
    "a k of zero": (put("k_mpc", lambda k: bent(k, 7, 0.0)), "k_mpc': has a number that is not above 0 at index 7"),
    "a variance of zero": (put("covariance", lambda c: bent(c, (4, 4), 0.0)), "not above 0 at index 4"),
    "half a covariance": (put("covariance", np.triu), r"covariance': is not symmetric at index \(3, 4\)"),
    "a covariance that is none": (put("covariance", lambda c: c - 9.9e3 * np.eye(8)), "is not positive definite"),
    "a short window": (put("window", lambda w: w[1:]), r"window' has the shape \(7, 8\), but along k_mpc and k_mpc"),
    "a mask of another length": (put("valid", np.ones(7, bool)), r"k_mpc' has the shape \(8,\), but along k_mpc"),
    "a mask of indices": (put("valid", np.arange(8)), "valid': holds 2; flags are bool"),
    "complex spectra": (put("delta2", lambda d: d + 0j), "delta2': holds complex numbers"),
    "no covariance": (renamed("covariance", "cov"), r"'band1/field_A' has no dataset 'covariance'"),
}  # fmt: skip


@pytest.mark.case(6)
@pytest.mark.parametrize("what", REFUSED)
def test_what_the_likelihood_would_misread_is_refused(tmp_path, what):
    change, message = REFUSED[what]
    with pytest.raises(DataError, match=r"mine\.h5: .*" + message):
        official(tmp_path, change)


@pytest.mark.attack("data", "two redshifts of one field, none, or one that is no number")
@pytest.mark.parametrize(
    ("where", "value"), [("band1", np.nan), ("band1", "high"), ("band1/field_A", 8.1), ("band1", -1)]
)
def test_a_redshift_that_is_none_or_two_is_refused(tmp_path, where, value):
    with pytest.raises(DataError, match="redshift"):
        official(tmp_path, lambda group: group.file[where].attrs.update(redshift=value))


def test_the_curve_of_a_single_bin_has_a_width(tmp_path):
    official(tmp_path, put("valid", np.arange(8) == 4))
    (panel,) = PowerSpectrum21cm(str(tmp_path / "mine.h5")).panels()
    assert np.all(np.diff(panel.curve_x) > 0) and panel.curve_x[0] < panel.x[0] < panel.curve_x[-1]


# --- common errors, windows, readings, systematics -------------------------------------------------


def limit(band, most, emulator=0.0, **options):
    """95 % limit on a flat Delta^2 with a flat prior."""
    probe = PowerSpectrum21cm(bands=(band,), **options)
    amplitude = np.linspace(0.0, most, 301)
    m = amplitude[:, None] * probe.requires["delta21_sq"].weights.sum(axis=1)
    found = probe.log_likelihood({"delta21_sq": Prediction(m, emulator * m if emulator else None)}, {}, NUMPY)
    mass = cumulative_trapezoid(np.exp(found - found.max()), amplitude, initial=0.0)
    return np.interp(0.95, mass / mass[-1], amplitude)


@pytest.mark.parametrize(("band", "most", "alone", "common"), [("band2", 1200, 221, 252), ("band1", 6000, 1157, 1316)])
def test_a_common_error_does_not_average_away(band, most, alone, common):
    as_given = {"window_norm": "as given"}
    assert limit(band, most, modelling_correlation="independent", **as_given) == pytest.approx(alone, rel=0.02)
    assert limit(band, most, **as_given) == pytest.approx(common, rel=0.02)


READINGS = {"as given": (106, 603), "clipped": (145, 851), "conservative": (230, 1180)}


@pytest.mark.parametrize("reading", READINGS)
def test_the_official_data_have_two_readings(shared_data, reading):
    """Limits of a specialist, with the windows of the file or whole ones."""
    options = {"catalog": str(shared_data / "hera_h1c_idr3_official.h5"), "modelling_fraction": 0.0, "reading": reading}
    for (band, most), expected in zip((("band2", 1200), ("band1", 6000)), READINGS[reading], strict=True):
        assert limit(band, most, **options) == pytest.approx(expected, rel=0.02)


def test_windows_are_averages():
    sums = {
        rule: np.concatenate([f.window.sum(axis=1) for f in PowerSpectrum21cm(window_norm=rule)._fields])
        for rule in ("renormalise", "cut", "as given")
    }
    assert sums["as given"].min() == pytest.approx(0.852, abs=1e-3)
    np.testing.assert_allclose(sums["renormalise"], 1.0, atol=0.01)
    np.testing.assert_allclose(sums["cut"], 1.0, atol=0.01)
    assert len(sums["renormalise"]) == 173 and len(sums["cut"]) == 173 - np.sum(sums["as given"] < 0.99) == 162


def test_windows_that_are_no_averages_are_refused_or_taken_as_given(tmp_path):
    with pytest.raises(DataError, match=r"band1/field_A.*rows of `window`.*k = 0\.5 / Mpc \(sum 2\.7\).*as given"):
        official(tmp_path, put("window", lambda w: 3 * w / w.sum(axis=1)[:, None]))
    assert PowerSpectrum21cm(str(tmp_path / "mine.h5"), window_norm="as given").data.shape == (5,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"systematics": "half_normal"}, "needs systematics_width, a number above 0"),
        ({"systematics": "exponential", "systematics_width": 0.0}, "needs systematics_width, a number above 0"),
        ({"systematics_width": 100.0}, 'systematics_width needs systematics = "half_normal" or "exponential"'),
        (
            {"systematics": "half_normal", "systematics_width": 1.0, "systematics_slope": 5000.0},
            "no width above 0 at k",
        ),
        ({"systematics_pivot": 0.0}, "systematics_pivot = 0.0 must be above 0"),
        ({"systematics": "half_normal", "systematics_width": 1.0, "likelihood": "gaussian"}, "is for upper limits"),
        ({"reading": "clipped", "likelihood": "gaussian"}, "biased detections"),
    ],
)
def test_options_that_exclude_each_other_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        PowerSpectrum21cm(**options)


@pytest.mark.parametrize("correlation", ["common", "independent"])
def test_a_wide_prior_of_systematics_is_the_flat_one(correlation):
    theta, options = np.array(THETA[:3]), {"modelling_correlation": correlation}
    flat = model(**options).log_likelihood(theta)
    for prior in ("half_normal", "exponential"):
        wide = model(systematics=prior, systematics_width=1e12, **options).log_likelihood(theta)
        np.testing.assert_allclose(wide, flat, atol=2e-3)
        narrow = model(systematics=prior, systematics_width=1e3, systematics_slope=-1.0, **options)
        assert np.all(np.isfinite(narrow.log_likelihood(np.array(THETA))))
    k = np.concatenate([f.k for f in narrow.probes["hera"]._fields])
    np.testing.assert_allclose(narrow.probes["hera"]._width, 1e3 * (k / 0.2) ** -1.0)


def test_the_line_of_sight_is_a_factor_of_the_model():
    probe = PowerSpectrum21cm(line_of_sight=True)
    (parameter,) = probe.parameters
    assert (parameter.prior.low, parameter.prior.high) == (1.0, pytest.approx(4 / (28 / 15)))
    m = np.full((2, 173), 120.0)
    found = probe.log_likelihood({"delta21_sq": Prediction(m)}, {parameter.name: np.array([1.0, 1.5])}, NUMPY)
    plain = PowerSpectrum21cm().log_likelihood({"delta21_sq": Prediction(m * [[1.0], [1.5]])}, {}, NUMPY)
    np.testing.assert_allclose(found, plain)
    assert PowerSpectrum21cm().parameters == ()


MOCKS = {
    "common": {},
    "independent": {"modelling_correlation": "independent"},
    "half-normal": {"systematics": "half_normal", "systematics_width": 500.0},
    "exponential": {"systematics": "exponential", "systematics_width": 500.0, "modelling_correlation": "independent"},
    "gaussian": {"likelihood": "gaussian"},
}


@pytest.mark.parametrize("form", MOCKS)
def test_mock_data_give_back_the_truth(form):
    """Truths from prior x normalisation, data from the likelihood: the ranks of the truths are uniform."""
    probe = PowerSpectrum21cm(bands=("band2",), fields=("C", "D"), k_max=0.6, **MOCKS[form])
    rng = np.random.default_rng(11)
    amplitude = np.linspace(0.0, 1500.0, 61)
    m = amplitude[:, None] * np.ones(len(probe.data))
    everywhere = {"delta21_sq": Prediction(m, 0.1 * m)}
    weight = np.exp(norm - norm.max()) if np.ndim(norm := probe.log_normalisation(everywhere, {})) else np.ones(61)
    ranks = []
    for truth in rng.choice(61, size=100, p=weight / weight.sum()):
        at = {"delta21_sq": Prediction(m[truth : truth + 1], 0.1 * m[truth : truth + 1])}
        mock = probe.simulate(at, {}, rng)
        found = mock.log_likelihood(everywhere, {}, NUMPY)
        posterior = np.exp(found - found.max())
        ranks.append((posterior[:truth].sum() + rng.random() * posterior[truth]) / posterior.sum())
    assert kstest(ranks, "uniform").pvalue > 0.01
    assert len(probe.simulate(at, {}, None).data) == len(probe.data)
