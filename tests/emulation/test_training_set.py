"""Training sets: what is written is read, and nothing half."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from helpers import refusal_of_odd

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import DataError

Z = Axis("z", np.array([5.0, 6.5, 8.1]))
K = Axis("k", np.array([0.1, 1 / 3]), "1/Mpc")
OBSERVABLES = {
    "power": Observable("power", (Z, K), "mK^2", "the Δ² of 21 cm", r"\Delta^2"),
    "curve": Observable("curve", (Z,)),
    "tau": Observable("tau"),
}
METADATA = {"simulator": "made", "version": "1.2", "settings": {"t_cmb": 2.7255}, "seed": 7, "licence": "CC0"}


def made(n=12, **changed):
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=(n, *o.shape)).astype(np.float32) for name, o in OBSERVABLES.items()}
    values["curve"][0, 1] = np.nan
    whole = {
        "names": ("b", "a"),
        "theta": rng.random((n, 2)),
        "observables": OBSERVABLES,
        "values": values,
        "metadata": METADATA,
    }
    return TrainingSet(**(whole | changed))


def test_the_file_gives_the_same_back(tmp_path):
    training = made()
    training.save(str(tmp_path / "set.h5"))
    again = TrainingSet.load(str(tmp_path / "set.h5"))
    assert again.names == ("b", "a")
    assert len(again) == 12
    np.testing.assert_array_equal(again.theta, training.theta)
    assert again.observables == OBSERVABLES
    assert again.metadata == METADATA
    for name, values in training.values.items():
        np.testing.assert_array_equal(again.values[name], values)
        assert again.values[name].dtype == np.float32
    assert [file.name for file in tmp_path.iterdir()] == ["set.h5"]


@pytest.mark.case(9)
@pytest.mark.parametrize("number", [0.1, 1e-46, 1e39, 2459000.5045, np.inf, -np.inf, np.nan, 5e-324, 1.7e308])
def test_every_number_is_read_back_exactly(number, tmp_path):
    values = {name: np.full((1, *o.shape), number) for name, o in OBSERVABLES.items()}
    made(1, theta=np.array([[number, 1 / 3]]), values=values).save(tmp_path / "set.h5")
    again = TrainingSet.load(tmp_path / "set.h5")
    np.testing.assert_array_equal(again.theta, [[number, 1 / 3]])
    for name, stored in again.values.items():
        np.testing.assert_array_equal(stored, values[name])


def test_values_that_float32_holds_take_half_the_space(tmp_path):
    values = {name: np.full((1, *o.shape), 0.25) for name, o in OBSERVABLES.items()}
    made(1, theta=np.array([[0.25, 0.5]]), values=values).save(tmp_path / "set.h5")
    assert TrainingSet.load(tmp_path / "set.h5").values["tau"].dtype == np.float32


def test_metadata_with_infinities_and_other_letters_are_read_back(tmp_path):
    box = {"a": {"low": -np.inf, "high": np.inf, "latex": "\u03c4"}}
    metadata = {"parameters": box, "citation": "Ré & Zoë, \u2609"}
    made(metadata=metadata).save(tmp_path / "set.h5")
    assert TrainingSet.load(tmp_path / "set.h5").metadata == metadata


def replaced(file, key, data):
    del file[key]
    file[key] = data


def stated(file, **changed):
    item = file["observables/curve"]
    item.attrs["observable"] = json.dumps({**json.loads(item.attrs["observable"]), **changed})


def metadata(file, text):
    replaced(file, "metadata", text)


Z_AXIS = {"name": "z", "unit": "", "values": Z.values.tolist()}
ODD = {
    "format: a text": lambda f: f.attrs.__setitem__("format", "1.0"),
    "format: NaN": lambda f: f.attrs.__setitem__("format", np.nan),
    "format: negative": lambda f: f.attrs.__setitem__("format", -1),
    "format: a list": lambda f: f.attrs.__setitem__("format", [1, 1]),
    "format: missing": lambda f: f.attrs.__delitem__("format"),
    "format 7: newer": lambda f: f.attrs.__setitem__("format", 7),
    "names: missing": lambda f: f.attrs.__delitem__("names"),
    "names: a number": lambda f: f.attrs.__setitem__("names", 3),
    "names: a table": lambda f: f.attrs.__setitem__("names", '{"b": 1, "a": 2}'),
    "names: a word": lambda f: f.attrs.__setitem__("names", '"ba"'),
    "names: one twice": lambda f: f.attrs.__setitem__("names", '["a", "a"]'),
    "names: numbers": lambda f: f.attrs.__setitem__("names", "[1, 2]"),
    "names: an empty one": lambda f: f.attrs.__setitem__("names", '["a", ""]'),
    "theta: one name too few": lambda f: f.attrs.__setitem__("names", '["a"]'),
    "theta: complex": lambda f: replaced(f, "theta", np.ones((12, 2), complex)),
    "theta: boolean": lambda f: replaced(f, "theta", np.ones((12, 2), bool)),
    "theta: texts": lambda f: replaced(f, "theta", np.full((12, 2), b"1")),
    "theta: one number": lambda f: replaced(f, "theta", 1.0),
    "theta: a group": lambda f: (f.__delitem__("theta"), f.create_group("theta")),
    "theta: empty": lambda f: replaced(f, "theta", h5py.Empty("f8")),
    "theta: three dimensions": lambda f: replaced(f, "theta", np.ones((12, 2, 1))),
    "shape: a row too few": lambda f: replaced(f, "theta", np.ones((13, 2))),
    "observables: an array": lambda f: replaced(f, "observables", np.ones(3)),
    "curve: no description": lambda f: f["observables/curve"].attrs.__delitem__("observable"),
    "observable: a list": lambda f: f["observables/curve"].attrs.__setitem__("observable", "[]"),
    "observable: cut": lambda f: f["observables/curve"].attrs.__setitem__("observable", '{"name": "cur'),
    "observable: a key twice": lambda f: f["observables/curve"].attrs.__setitem__("observable", '{"a": 1, "a": 2}'),
    "curve: another name": lambda f: stated(f, name="tau"),
    "name: null": lambda f: stated(f, name=None),
    "unit: a number": lambda f: stated(f, unit=1),
    "latex: a list": lambda f: stated(f, latex=[]),
    "axes: a table": lambda f: stated(f, axes={}),
    "name: an axis without": lambda f: stated(f, axes=[{"values": [1, 2, 3], "unit": ""}]),
    "name: an axis that is a number": lambda f: stated(f, axes=[3]),
    "values: a text": lambda f: stated(f, axes=[{**Z_AXIS, "values": "1 2 3"}]),
    "values: nested": lambda f: stated(f, axes=[{**Z_AXIS, "values": [[1, 2, 3]]}]),
    "'z': not increasing": lambda f: stated(f, axes=[{**Z_AXIS, "values": [5.0, 5.0, 6.0]}]),
    "'z': NaN": lambda f: stated(f, axes=[{**Z_AXIS, "values": [5.0, float("nan"), 6.0]}]),
    "'curve': a node too many": lambda f: stated(f, axes=[{**Z_AXIS, "values": [5.0, 6.0, 7.0, 8.0]}]),
    "'curve': an axis too many": lambda f: stated(f, axes=[Z_AXIS, {**Z_AXIS, "name": "k"}]),
    "metadata: a list": lambda f: metadata(f, "[]"),
    "metadata: null": lambda f: metadata(f, "null"),
    "metadata: a number": lambda f: metadata(f, 3.0),
    "metadata: several": lambda f: replaced(f, "metadata", ["{}", "{}"]),
    "box: a list": lambda f: metadata(f, '{"parameters": [1]}'),
    "'a': no edges": lambda f: metadata(f, '{"parameters": {"a": {}}}'),
    "'a': a text": lambda f: metadata(f, '{"parameters": {"a": {"low": "0", "high": 1}}}'),
    "'a': an edge is NaN": lambda f: metadata(f, '{"parameters": {"a": {"low": NaN, "high": 1}}}'),
    "'a': edges are equal": lambda f: metadata(f, '{"parameters": {"a": {"low": 1, "high": 1}}}'),
    "'a': edges are exchanged": lambda f: metadata(f, '{"parameters": {"a": {"low": 2, "high": 1}}}'),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("set") / "whole.h5"
    made().save(path)
    return path


@pytest.mark.attack("training sets", "fifty odd training sets: kinds, names, shapes, axes, boxes, versions")
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_file_is_refused_with_its_path_and_the_key(whole, odd, tmp_path, request):
    said = refusal_of_odd(TrainingSet.load, whole, odd, tmp_path, DataError)
    assert request.node.callspec.id.split(":")[0].strip("'") in said


def test_the_file_is_plain_hdf5(tmp_path):
    made().save(tmp_path / "set.h5")
    with h5py.File(tmp_path / "set.h5") as file:
        assert file.attrs["format"] == 1
        assert json.loads(file["metadata"].asstr()[()]) == METADATA
        assert file["theta"].shape == (12, 2)
        assert file["observables/power"].shape == (12, 3, 2)
        assert json.loads(file["observables/power"].attrs["observable"])["unit"] == "mK^2"


@pytest.mark.parametrize("observable", OBSERVABLES.values(), ids=OBSERVABLES)
def test_the_written_form_of_an_observable_goes_through_json(observable):
    assert Observable.from_json(json.loads(json.dumps(observable.to_json()))) == observable


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"names": ("a",)}, r"theta has the shape \(12, 2\); \(n, 1\) is needed"),
        ({"theta": np.zeros(12)}, "theta has the shape"),
        ({"theta": np.zeros((11, 2))}, "'power' has the shape"),
        ({"values": {"tau": np.zeros(12)}}, "differ"),
        ({"observables": {"tau": OBSERVABLES["tau"]}}, "differ"),
        (
            {"observables": {"tau": OBSERVABLES["tau"]}, "values": {"tau": np.zeros((12, 1))}},
            r"'tau' has the shape \(12, 1\), not \(12,\)",
        ),
    ],
)
def test_shapes_and_names_that_do_not_fit_are_refused(changed, message):
    with pytest.raises(DataError, match=message):
        made(**changed)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(DataError, match=r"no training set .*none\.h5; `astroemu simulate` makes one"):
        TrainingSet.load(tmp_path / "none.h5")


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_anywhere_is_refused(tmp_path, kept):
    path = tmp_path / "cut.h5"
    made().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=r"cut\.h5 is not a whole training set"):
        TrainingSet.load(path)


@pytest.mark.parametrize("signature", [b"TREE", b"SNOD", b"HEAP"])
def test_a_file_with_a_damaged_index_is_refused(tmp_path, signature):
    path = tmp_path / "damaged.h5"
    made().save(path)
    content = path.read_bytes()
    assert signature in content
    path.write_bytes(content.replace(signature, b"\xff" * 4))
    with pytest.raises(DataError, match=r"damaged\.h5 is not a whole training set"):
        TrainingSet.load(path)


def test_a_group_with_a_damaged_index_is_refused(tmp_path):
    path = tmp_path / "damaged.h5"
    made().save(path)
    content = path.read_bytes()
    last = content.rindex(b"SNOD")  # that of `observables`: the root still opens
    path.write_bytes(content[:last] + b"\xff" * 4 + content[last + 4 :])
    with pytest.raises(DataError, match=r"damaged\.h5 is not a whole training set"):
        TrainingSet.load(path)


@pytest.mark.parametrize("lost", ["theta", "observables"])
def test_a_file_that_lacks_a_part_is_refused(tmp_path, lost):
    path = tmp_path / "lacking.h5"
    made().save(path)
    with h5py.File(path, "r+") as file:
        del file[lost]
    with pytest.raises(DataError, match="is not a whole training set"):
        TrainingSet.load(path)


@pytest.mark.parametrize("lost", ["names", "metadata"])
def test_a_file_of_damaged_metadata_is_refused(tmp_path, lost):
    path = tmp_path / "damaged.h5"
    made().save(path)
    with h5py.File(path, "r+") as file:
        if lost == "names":
            file.attrs["names"] = "{"
        else:
            file["metadata"][()] = "{"
    with pytest.raises(DataError, match="is not a whole training set"):
        TrainingSet.load(path)


def test_a_file_of_something_else_or_of_a_newer_format_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(DataError, match=r"text\.h5 is not a whole training set"):
        TrainingSet.load(tmp_path / "text.h5")
    made().save(tmp_path / "newer.h5")
    with h5py.File(tmp_path / "newer.h5", "r+") as file:
        file.attrs["format"] = 2
    with pytest.raises(DataError, match="is of format 2; this version reads 1"):
        TrainingSet.load(tmp_path / "newer.h5")


def test_a_save_that_fails_leaves_nothing_and_no_file_is_overwritten(tmp_path):
    path = tmp_path / "set.h5"
    with pytest.raises(TypeError):
        made(metadata={"when": object()}).save(path)
    assert not list(tmp_path.iterdir())
    made().save(path)
    content = path.read_bytes()
    with pytest.raises(DataError, match="is not overwritten"):
        made().save(path)
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]


def test_sets_of_another_simulator_version_are_not_joined():
    data = made()
    other = data.subset(np.arange(10), {**data.metadata, "version": "2"})
    with pytest.raises(DataError, match=r"another version cannot be joined: '1\.2' and '2'"):
        data.joined(other)
    more = data.subset(np.arange(3), data.metadata)
    assert len(data.joined(more)) == len(data) + 3 and data.joined(more).metadata["added"] == [data.metadata]


@pytest.mark.attack("training", "no points, no observables, points outside the stated box or not finite")
def test_points_that_cannot_be_trained_on_are_refused():
    box = {"parameters": {"a": {"low": 0.0, "high": 1.0}}}
    made(metadata=box).demand_trainable()
    for training, words in (
        (made().subset(np.zeros(12, dtype=bool)), "no points"),
        (made(observables={}, values={}), "no observables"),
        (
            made(theta=np.full((12, 2), 1.5), metadata=box),
            r"12 of 12 points .* outside the box \[0, 1\] .* 'a', as 1\.5",
        ),
        (made(theta=np.full((12, 2), np.nan)), "12 of 12 points are not finite"),
    ):
        with pytest.raises(DataError, match=words):
            training.demand_trainable()
