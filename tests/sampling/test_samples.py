"""Samples: statistics of their parameters, resampling, and the file."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from astroemu.errors import DataError
from astroemu.io.files import parse_json, strict_json
from astroemu.sampling.samples import ARRAYS, Samples
from astroemu.sampling.statistics import kish_ess


def made(n=4000, log_weight=None, **changed):
    rng = np.random.default_rng(0)
    theta = rng.normal([1.0, -2.0], [0.5, 2.0], (n, 2))
    weight = np.full(n, -np.log(n)) if log_weight is None else log_weight
    given = {
        "names": ("a", "b"),
        "theta": theta,
        "log_likelihood": -0.5 * theta[:, 0] ** 2,
        "log_prior": np.zeros(n),
        "log_weight": weight,
        "sampler": "test",
        "ess": float(n),
        "converged": True,
        "reason": "made",
        "n_likelihood": n,
        "log_evidence": -3.0,
        "log_evidence_err": 0.1,
        "diagnostics": {"steps": 5},
    }
    return Samples(**(given | changed))


def test_moments_and_quantiles_of_a_gaussian():
    table = made().table()
    assert table["a"]["mean"] == pytest.approx(1.0, abs=0.04) and table["a"]["std"] == pytest.approx(0.5, abs=0.03)
    assert table["b"]["q84"] - table["b"]["q16"] == pytest.approx(4.0, abs=0.2)
    assert table["b"]["q975"] - table["b"]["q025"] == pytest.approx(7.84, abs=0.5)


def test_weights_move_the_statistics():
    samples = made()
    tilted = made(log_weight=samples["a"] - np.logaddexp.reduce(samples["a"]))
    assert tilted.mean()[0] == pytest.approx(1.25, abs=0.04)  # a Gaussian tilted by exp(x) moves by its variance
    drawn = tilted.equal_weight(4000, np.random.default_rng(1))
    assert drawn[:, 0].mean() == pytest.approx(tilted.mean()[0], abs=0.01)
    assert kish_ess(tilted.log_weight) == pytest.approx(4000 * np.exp(-0.25), rel=0.1)


def test_the_highest_density_region_of_a_gaussian_is_one_sigma():
    low, high = made(200_000).highest_density("a", 0.6827)
    assert low == pytest.approx(0.5, abs=0.06) and high == pytest.approx(1.5, abs=0.06)


def test_the_file_gives_the_same_back(tmp_path):
    samples = made()
    samples.save(tmp_path / "s.h5")
    again = Samples.load(tmp_path / "s.h5")
    np.testing.assert_array_equal(again.theta, samples.theta)
    assert again.names == samples.names and again.log_evidence == -3.0 and again.diagnostics == {"steps": 5}


def test_births_are_kept_where_there_are_any(tmp_path):
    birth = np.full(4000, -np.inf)
    made(log_birth=birth, log_volume=-0.5).save(tmp_path / "nested.h5")
    made().save(tmp_path / "chain.h5")
    nested, chain = (Samples.load(tmp_path / f"{name}.h5") for name in ("nested", "chain"))
    np.testing.assert_array_equal(nested.log_birth, birth)
    assert nested.log_volume == -0.5 and chain.log_birth is None and chain.log_volume == 0.0
    with pytest.raises(DataError, match="log_birth"):
        made(log_birth=birth[:3])


def test_a_damaged_or_missing_file_is_refused(tmp_path):
    samples = made()
    samples.save(tmp_path / "s.h5")
    content = (tmp_path / "s.h5").read_bytes()
    (tmp_path / "s.h5").write_bytes(content[: len(content) // 2])
    for name in ("s.h5", "none.h5"):
        with pytest.raises(DataError, match=name):
            Samples.load(tmp_path / name)


def test_shapes_that_differ_are_refused():
    with pytest.raises(DataError, match="log_weight"):
        made(log_weight=np.zeros(3))


def few(theta, weight):
    """A handful of samples of one parameter, with their weights."""
    theta, weight = np.array(theta, dtype=float), np.array(weight, dtype=float)
    n = len(theta)
    with np.errstate(divide="ignore"):
        log_weight = np.log(weight)
    return made(n, log_weight, names=("x",), theta=theta[:, None], log_likelihood=np.zeros(n), log_prior=np.zeros(n))


def test_weights_are_normalised_whatever_their_scale():
    for shift in (0.0, -1e5, 1e5):
        samples = made(3, np.log([0.2, 0.3, 0.5]) + shift)
        np.testing.assert_allclose(samples.weight, [0.2, 0.3, 0.5], rtol=1e-9)


def test_a_sample_without_weight_counts_for_nothing():
    samples = few([0.0, 1.0, 1e6], [0.5, 0.5, 0.0])
    assert samples.mean()[0] == pytest.approx(0.5) and samples.std()[0] == pytest.approx(0.5)
    assert np.all(samples.equal_weight(1000, np.random.default_rng(0)) < 2)


def test_weighted_moments_by_hand():
    samples = few([0.0, 2.0, 10.0], [0.5, 0.25, 0.25])
    assert samples.mean()[0] == pytest.approx(3.0)
    assert samples.std()[0] == pytest.approx(np.sqrt(0.5 * 9 + 0.25 * 1 + 0.25 * 49))


def test_quantiles_of_the_table_are_those_of_a_gaussian():
    n = 20_001
    from scipy.stats import norm

    x = norm.ppf((np.arange(n) + 0.5) / n)
    table = few(x, np.ones(n)).table()["x"]
    expected = {"q025": -1.95996, "q16": -0.99446, "median": 0.0, "q84": 0.99446, "q975": 1.95996}
    assert {key: table[key] for key in expected} == pytest.approx(expected, abs=1e-3)
    assert (table["hpd68_low"], table["hpd68_high"]) == pytest.approx((-0.99446, 0.99446), abs=0.02)
    assert set(table) == {"mean", "std", *expected, "hpd68_low", "hpd68_high"}


def test_the_highest_density_region_of_an_exponential_begins_at_its_peak():
    n = 50_000
    x = -np.log1p(-(np.arange(n) + 0.5) / n)
    low, high = few(x, np.ones(n)).highest_density("x", 0.68)
    assert low == pytest.approx(0.0, abs=1e-3) and high == pytest.approx(-np.log(0.32), abs=0.06)


def test_the_highest_density_region_holds_its_mass_and_may_be_everything():
    samples = made()
    low, high = samples.highest_density("a", 0.9)
    assert np.mean((samples["a"] >= low) & (samples["a"] <= high)) >= 0.9
    assert samples.highest_density("a", 1.0) == pytest.approx((samples["a"].min(), samples["a"].max()))


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_systematic_resampling_takes_each_sample_as_often_as_its_weight_says(n):
    weight = np.array([0.05, 0.4, 0.15, 0.3, 0.1])
    drawn = few(range(5), weight).equal_weight(n, np.random.default_rng(3))
    assert drawn.shape == (n, 1)
    counts = np.bincount(drawn[:, 0].astype(int), minlength=5)
    assert np.all(np.abs(counts - n * weight) < 1 + 1e-9)


def test_resampling_is_unbiased_and_shuffled():
    weight = np.array([0.05, 0.4, 0.15, 0.3, 0.1])
    rng, samples = np.random.default_rng(4), few(range(5), weight)
    drawn = np.array([samples.equal_weight(3, rng)[:, 0] for _ in range(6000)]).astype(int)
    for column in drawn.T:  # each place, not only all together
        np.testing.assert_allclose(np.bincount(column, minlength=5) / 6000, weight, atol=0.03)


def test_resampling_repeats_with_its_generator():
    first, second = (made().equal_weight(50, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_best_sample_maximises_likelihood_times_prior():
    samples = made(
        3,
        names=("x",),
        theta=np.arange(3.0)[:, None],
        log_likelihood=np.array([0, 5, 4.0]),
        log_prior=np.array([0, -3, -1.0]),
    )
    np.testing.assert_array_equal(samples.best(), [2.0])


def test_columns_are_found_by_name():
    samples = made(10)
    assert len(samples) == 10
    np.testing.assert_array_equal(samples["b"], samples.theta[:, 1])


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"log_evidence": None, "log_evidence_err": None},
        {"converged": False, "reason": "τ > N/50"},
        {"ess": float("inf")},
    ],
)
def test_every_field_survives_the_file(tmp_path, changed):
    samples = made(20, log_weight=np.concatenate([[-np.inf], np.zeros(19)]), **changed)
    samples.save(str(tmp_path / "s.h5"))
    again = Samples.load(str(tmp_path / "s.h5"))
    for name in ("theta", "log_likelihood", "log_prior", "log_weight"):
        np.testing.assert_array_equal(getattr(again, name), getattr(samples, name))
    for name in ("names", "sampler", "ess", "converged", "reason", "n_likelihood", "log_evidence", "log_evidence_err"):
        assert getattr(again, name) == getattr(samples, name)
    assert again.diagnostics == {"steps": 5}
    assert [file.name for file in tmp_path.iterdir()] == ["s.h5"]


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_anywhere_is_refused(tmp_path, kept):
    path = tmp_path / "cut.h5"
    made(100).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=r"cut\.h5 is not a whole file of samples"):
        Samples.load(path)


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("not HDF5")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    for name in ("text.h5", "empty.h5"):
        with pytest.raises(DataError, match=f"{name} is not a whole file of samples"):
            Samples.load(tmp_path / name)
    with pytest.raises(DataError, match="there is no file of samples"):
        Samples.load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"names": ["a", "b"]}'])
def test_a_file_of_damaged_metadata_is_refused(tmp_path, text):
    made(10).save(tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        file.attrs["samples"] = text
    with pytest.raises(DataError, match="is not a whole file of samples"):
        Samples.load(tmp_path / "s.h5")


def test_a_file_that_lacks_an_array_or_is_of_a_newer_format_is_refused(tmp_path):
    for name in ("lacking.h5", "newer.h5"):
        made(10).save(tmp_path / name)
    with h5py.File(tmp_path / "lacking.h5", "r+") as file:
        del file["log_prior"]
    with h5py.File(tmp_path / "newer.h5", "r+") as file:
        file.attrs["format"] = 2
    with pytest.raises(DataError, match="is not a whole file of samples"):
        Samples.load(tmp_path / "lacking.h5")
    with pytest.raises(DataError, match="is of format 2; this version reads 1"):
        Samples.load(tmp_path / "newer.h5")


@pytest.mark.parametrize(
    "changed",
    [
        {"names": ("a",)},
        {"theta": np.zeros(4)},
        {"log_likelihood": np.zeros(5)},
        {"log_prior": np.zeros((4, 1))},
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(changed):
    with pytest.raises(DataError, match="has the shape"):
        made(4, **changed)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "s.h5"
    made(20, log_birth=np.full(20, -np.inf), log_volume=-0.5).save(path)
    return path.read_bytes()


def array(name, change):
    """A change of one array of the file; ``change`` returns the new content, or None if it changed the old one."""

    def apply(file):
        values = file[name][()]
        new = change(values)
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = values if new is None else new
        file[name].attrs.update(attributes)

    return apply


def at(row, value):
    def change(values):
        values[row] = value

    return change


def entry(key, value):
    """A change of one entry of the JSON text; ``...`` removes it."""

    def apply(file):
        content = parse_json(file.attrs["samples"])
        content[key] = value
        if value is ...:
            del content[key]
        file.attrs["samples"] = strict_json(content)

    return apply


def attribute(key, value, name="/"):
    def apply(file):
        file[name].attrs[key] = value

    return apply


def linked(file):
    file["theta"] = h5py.SoftLink("/log_prior")


#: A change of the file, and words of the refusal.
ODD = {
    "theta is NaN": (array("theta", at((3, 1), np.nan)), "theta of 'b' is not finite in row 3"),
    "theta is infinite": (array("theta", at((3, 0), np.inf)), "theta of 'a' is not finite in row 3"),
    "theta has another length": (array("theta", lambda v: v[:5]), "log_likelihood has the shape"),
    "theta has one column": (array("theta", lambda v: v[:, :1]), "(n, 2) is needed"),
    "theta is flat": (array("theta", np.ravel), "theta has the shape"),
    "theta is one number": (array("theta", lambda v: 1.0), "theta has the shape"),
    "theta is text": (array("theta", lambda v: "text"), "theta must hold real numbers"),
    "theta is complex": (array("theta", lambda v: v + 1j), "theta must hold real numbers"),
    "theta is true": (array("theta", lambda v: v > 0), "theta must hold real numbers"),
    "theta is structured": (array("theta", lambda v: np.zeros(20, "f8,f8")), "neither numbers nor text"),
    "theta is a link": (lambda file: (file.pop("theta"), linked(file)), "link"),
    "theta is nothing": (array("theta", lambda v: h5py.Empty("f8")), "theta must hold real numbers"),
    "no rows": (lambda file: [array(n, lambda v: v[:0])(file) for n in (*ARRAYS, "log_birth")], "no samples"),
    "no log_prior": (lambda file: file.pop("log_prior"), "log_prior is missing"),
    "log_prior is a group": (
        lambda file: (file.pop("log_prior"), file.create_group("log_prior")),
        "log_prior is missing",
    ),
    "log_likelihood is NaN": (array("log_likelihood", at(2, np.nan)), "log_likelihood is nan in row 2"),
    "log_likelihood is +inf": (array("log_likelihood", at(2, np.inf)), "log_likelihood is inf in row 2"),
    "log_prior is NaN": (array("log_prior", at(2, np.nan)), "log_prior is nan in row 2"),
    "log_weight is NaN": (array("log_weight", at(2, np.nan)), "log_weight is nan in row 2"),
    "log_weight is +inf": (array("log_weight", at(2, np.inf)), "log_weight is inf in row 2"),
    "no sample has a weight": (array("log_weight", at(slice(None), -np.inf)), "no sample has a weight"),
    "log_weight has another length": (array("log_weight", lambda v: v[1:]), "log_weight has the shape"),
    "log_birth is NaN": (array("log_birth", at(0, np.nan)), "log_birth is nan in row 0"),
    "log_birth is short": (array("log_birth", lambda v: v[1:]), "log_birth has the shape"),
    "log_volume is positive": (attribute("log_volume", 1.0, "log_birth"), "log_volume = 1.0"),
    "log_volume is NaN": (attribute("log_volume", np.nan, "log_birth"), "log_volume = nan"),
    "log_volume is text": (attribute("log_volume", "x", "log_birth"), "not a whole file of samples"),
    "log_volume is an array": (attribute("log_volume", np.zeros(3), "log_birth"), "not a whole file of samples"),
    "no log_volume": (lambda file: file["log_birth"].attrs.pop("log_volume"), "not a whole file of samples"),
    "a name twice": (entry("names", ["a", "a"]), "must be different and not empty"),
    "an empty name": (entry("names", ["a", " "]), "must be different and not empty"),
    "a name that is a number": (entry("names", ["a", 1]), "theta has the shape"),
    "a name that is NaN": (entry("names", ["a", np.nan]), "theta has the shape"),
    "names are a text": (entry("names", "ab"), "names = 'ab', which is of a wrong type"),
    "no names": (entry("names", []), "is needed"),
    "names are missing": (entry("names", ...), "lacks 'names'"),
    "ess is text": (entry("ess", "many"), "ess = 'many'"),
    "ess is negative": (entry("ess", -1.0), "ess = -1.0"),
    "converged is a number": (entry("converged", 1), "converged = 1"),
    "n_likelihood is true": (entry("n_likelihood", True), "n_likelihood = True"),
    "n_likelihood is negative": (entry("n_likelihood", -5), "n_likelihood = -5"),
    "log_evidence is text": (entry("log_evidence", "large"), "log_evidence = 'large'"),
    "diagnostics are a list": (entry("diagnostics", []), "diagnostics = []"),
    "an unknown entry": (entry("log_evidense", 1.0), "unknown entry 'log_evidense'. Did you mean 'log_evidence'"),
    "the text is bytes": (attribute("samples", np.bytes_(b"{}")), "not a whole file of samples"),
    "the text is a number": (attribute("samples", 3), "samples is not JSON"),
    "the text is nested": (attribute("samples", "[" * 20_000), "nested too deeply"),
    "the text is empty": (attribute("samples", h5py.Empty("S1")), "samples is not JSON"),
    "the format is text": (attribute("format", "one"), "not a whole file of samples"),
    "the format is an array": (attribute("format", np.zeros(2)), "not a whole file of samples"),
    "the format is NaN": (attribute("format", np.nan), "not a whole file of samples"),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.attack("samples", "a file of samples of which one array or attribute is odd")
def test_an_odd_file_is_refused_with_its_name_and_the_place(tmp_path, whole, what):
    change, words = ODD[what]
    path = tmp_path / "odd.h5"
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(DataError) as caught:
        Samples.load(path)
    assert str(path) in str(caught.value) and words in str(caught.value)


@pytest.mark.parametrize("kind", ["<f4", ">f4", ">f8", "<i4", ">i8", "u1"])
@pytest.mark.parametrize(
    "storage", [{}, {"compression": "gzip", "shuffle": True, "fletcher32": True}, {"chunks": (7, 2)}]
)
def test_numbers_of_any_type_and_storage_give_the_same_samples(tmp_path, kind, storage):
    samples = made(20, theta=np.arange(40.0).reshape(20, 2))
    samples.save(tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        del file["theta"]
        file.create_dataset("theta", data=samples.theta.astype(kind), **storage)
    again = Samples.load(tmp_path / "s.h5")
    np.testing.assert_array_equal(again.theta, samples.theta)
    assert again.theta.dtype == np.float64 and again.theta.dtype.isnative


def test_infinities_of_diagnostics_and_names_of_any_script_survive_the_file(tmp_path):
    given = {"x": np.inf, "none": None, "user": {"float": "inf"}, "array": np.array([1.0, -np.inf])}
    samples = made(20, names=("größe/h", "ñ.ü"), diagnostics=given, reason="é" * 70_000)
    samples.save(tmp_path / "s.h5")
    again = Samples.load(tmp_path / "s.h5")
    assert again.names == samples.names and again.reason == samples.reason
    assert again.diagnostics == {"x": np.inf, "none": None, "user": {"float": "inf"}, "array": [1.0, -np.inf]}


def test_a_sample_without_likelihood_may_have_no_weight(tmp_path):
    samples = made(3, log_likelihood=np.array([-np.inf, 0.0, 0.0]), log_weight=np.array([-np.inf, 0.0, 0.0]))
    samples.save(tmp_path / "s.h5")
    assert Samples.load(tmp_path / "s.h5").log_likelihood[0] == -np.inf
