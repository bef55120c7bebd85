"""What must be the same when a run is resumed, and what need not."""

from __future__ import annotations

import shutil
from importlib.resources import files

import pytest

from astroemu.configuration import load_configuration
from astroemu.errors import RunFolderError
from astroemu.identity import Identity, identify


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    """Our own copy of an emulator's file, and one whose last weight is another."""
    path = tmp_path_factory.mktemp("emulators") / "mine.h5"
    shutil.copy(str(files("astroemu_plugins") / "trained" / "acg.h5"), path)
    return path


def identity(file, *overrides, seed=1):
    overrides = (f'emulators.acg.file="{file}"', *overrides)
    loaded = load_configuration("reionization", overrides).without(["power_spectrum_21cm"])
    sampler = loaded.sampler()
    return identify(loaded, loaded.model(), sampler, "emcee", seed)


@pytest.fixture(scope="module")
def reference(emulator):
    return identity(emulator)


def fields(one, other):
    return {line.partition(":")[0] for line in other.differences(one, "now", "in the run")}


def test_the_same_problem_is_the_same(reference, emulator):
    again = identity(emulator)
    assert again == reference and again.digest == reference.digest and fields(reference, again) == set()


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ("parameters.t_star.high=0.9", "prior of t_star"),
        ("probes.optical_depth.errors=barlow", "probes.optical_depth.errors"),
        ("emulator_error=false", "emulator_error"),
        ("samplers.emcee.walkers=32", "samplers.emcee.walkers"),
        ('probes.uv_luminosity_function.sets={"Bouwens+2021"=[6.0]}', "probes.uv_luminosity_function.sets.Oesch+2018"),
    ],
)
def test_another_problem_is_named_field_by_field(reference, emulator, override, field):
    assert field in fields(reference, identity(emulator, override))


def test_the_line_says_both_values(reference, emulator):
    (line,) = identity(emulator, seed=2).differences(reference, "now", "in the run")
    assert line == "seed: 1 in the run, 2 now"


@pytest.mark.parametrize(
    "override",
    ["title=Another", "engine=numpy", "samplers.emcee.max_steps=9", "samplers.ultranest.live_points=50"],
)
def test_what_does_not_move_the_samples_may_differ(reference, emulator, override):
    assert fields(reference, identity(emulator, override)) == set()


def test_a_file_may_lie_elsewhere_but_its_bytes_must_be_the_same(reference, emulator, tmp_path):
    elsewhere = tmp_path / "mine.h5"
    shutil.copy(emulator, elsewhere)
    assert fields(reference, identity(elsewhere)) == set()
    import h5py

    with h5py.File(elsewhere, "a") as file:
        file.attrs["note"] = "touched"
    assert any(field.startswith("bytes of") for field in fields(reference, identity(elsewhere)))


def test_the_order_of_the_parameters_and_the_versions_are_part_of_it(reference):
    assert reference.must_match["order of the parameters"].startswith("log10_f_star10, alpha_star")
    assert {"version of emcee", "version of astroemu-inference"} <= reference.must_match.keys()
    assert any(field.startswith("bytes of catalog") for field in reference.must_match)


def test_a_touched_identity_is_refused(reference, tmp_path):
    import json

    path = tmp_path / "identity.json"
    path.write_text(json.dumps(reference.save()))
    assert Identity.load(path) == reference
    path.write_text(path.read_text().replace('"seed": "1"', '"seed": "2"'))
    with pytest.raises(RunFolderError, match="digest"):
        Identity.load(path)
