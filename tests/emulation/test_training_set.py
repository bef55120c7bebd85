"""Training sets: what is written is read, and nothing half."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

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


def test_values_are_stored_in_single_precision_and_parameters_in_double(tmp_path):
    values = {name: np.full((1, *o.shape), 0.1) for name, o in OBSERVABLES.items()}
    made(1, theta=np.array([[0.1, 1 / 3]]), values=values).save(tmp_path / "set.h5")
    again = TrainingSet.load(tmp_path / "set.h5")
    np.testing.assert_array_equal(again.theta, [[0.1, 1 / 3]])
    assert again.values["tau"][0] == np.float32(0.1)


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


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "set.h5"
    made().save(path)
    content = path.read_bytes()
    with pytest.raises(TypeError):
        made(metadata={"when": object()}).save(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_sets_of_another_simulator_version_are_not_joined():
    data = made()
    other = data.subset(np.arange(10), {**data.metadata, "version": "2"})
    with pytest.raises(DataError, match=r"another version cannot be joined: '1\.2' and '2'"):
        data.joined(other)
    more = data.subset(np.arange(3), data.metadata)
    assert len(data.joined(more)) == len(data) + 3 and data.joined(more).metadata["added"] == [data.metadata]
