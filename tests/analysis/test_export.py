"""A run is exported in five formats; the package of each format reads it."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from helpers import assert_provenance, command

from astroemu.analysis import export as module
from astroemu.analysis.export import RunTable, export
from astroemu.errors import ConfigurationError, DataError, PluginError
from astroemu.inference.run_folder import RunFolder

CONFIGURATION = """
[simulators.park19]
[probes.optical_depth]
[parameters]
log10_f_star10 = { distribution = "uniform", low = -3.0, high = 0.0, latex = '\\log_{10} f_*' }
log10_f_esc10 = { distribution = "fixed", value = -1.0 }
alpha_star = { distribution = "fixed", value = 0.5 }
alpha_esc = { distribution = "fixed", value = -0.3 }
log10_m_turn = { distribution = "uniform", low = 8.0, high = 10.0, unit = "log10 Msun" }
t_star = { distribution = "fixed", value = 0.5 }
clumping = { distribution = "fixed", value = 3.0 }
h = { distribution = "fixed", value = 0.6774 }
omega_m = { distribution = "fixed", value = 0.3075 }
omega_b = { distribution = "fixed", value = 0.0486 }
sigma_8 = { distribution = "fixed", value = 0.811 }
n_s = { distribution = "fixed", value = 0.97 }
[samplers.ultranest]
live_points = 60
[samplers.emcee]
walkers = 8
max_steps = 80
starting_draws = 400
"""


def fitted(folder, sampler):
    (folder / "fit.toml").write_text(CONFIGURATION)
    out = folder / sampler
    assert command("fit", str(folder / "fit.toml"), "--sampler", sampler, "--out", str(out), "--no-report")[0] == 0
    return RunFolder.open(out)


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("nested"), "ultranest")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("chain"), "emcee")


def assert_moments(mean, std, samples, rtol=1e-6):
    np.testing.assert_allclose(mean, samples.mean(), rtol=rtol)
    np.testing.assert_allclose(std, samples.std(), rtol=rtol * 10)


def assert_exported(run, text):
    """Check the provenance of an export and of its run."""
    block = json.loads(text)
    of_the_run = block.pop("run")
    assert_provenance(block, "samples.h5")
    assert of_the_run == run.summary()["provenance"]


def test_the_host_of_a_run_is_left_out_where_it_is_not_wanted(nested, monkeypatch):
    monkeypatch.setenv("ASTROEMU_NO_HOST", "1")
    assert "host" in nested.summary()["provenance"]
    block = json.loads(RunTable(nested).provenance)
    assert "host" not in block and "host" not in block["run"] and block["run"]["engine"] == "numpy"


def test_the_weights_of_the_nested_run_differ(nested):
    assert np.ptp(nested.samples().log_weight) > 1


def test_csv_has_units_symbols_and_weights(nested, tmp_path):
    (path,) = export(nested, "csv", tmp_path / "run.ecsv", derived=True)
    table, samples = QTable.read(path, format="ascii.ecsv"), nested.samples()
    assert table.colnames == ["weight", "log_likelihood", "log_prior", *samples.names, "tau_e"]
    mean = [np.average(table[name], weights=table["weight"]) for name in samples.names]
    np.testing.assert_allclose(mean, samples.mean(), rtol=1e-9)
    assert table["log10_m_turn"].info.description == r"${\rm log10\_m\_turn}$ [log10 Msun]"
    assert table["log10_f_star10"].info.description == r"$\log_{10} f_*$"
    assert table.meta["log_evidence"] == pytest.approx(samples.log_evidence)
    assert_exported(nested, table.meta["provenance"])
    tau = nested.summary()["derived"]["tau_e"]
    assert abs(np.average(table["tau_e"], weights=table["weight"]) - tau["mean"]) < 0.3 * tau["std"]
    first = next(line for line in path.read_text().splitlines() if not line.startswith("#"))
    assert first.startswith("weight,log_likelihood")


def test_fits_is_read_by_astropy(nested, tmp_path):
    (path,) = export(nested, "fits", tmp_path / "run.fits")
    table = QTable.read(path)
    np.testing.assert_array_equal(table["log10_f_star10"], nested.samples()["log10_f_star10"])
    np.testing.assert_array_equal(table["weight"], nested.samples().weight)
    assert_exported(nested, table.meta["PROVENAN"])


def test_a_linear_unit_is_a_quantity(nested):
    exported = RunTable(nested)
    exported.unit["log10_f_star10"] = "keV"
    assert exported.table()["log10_f_star10"].unit == u.keV


def test_getdist_reads_the_files_and_the_object(nested, tmp_path):
    getdist = pytest.importorskip("getdist")
    written = export(nested, "getdist", tmp_path / "chain" / "run", derived=True)
    assert [path.suffix for path in written] == [".txt", ".paramnames", ".ranges", ".ini"]
    samples = nested.samples()
    read = getdist.loadMCSamples(str(tmp_path / "chain" / "run"), settings={"ignore_rows": 0})
    made = RunTable(nested).getdist()
    for found in (read, made):
        names = [p.name for p in found.getParamNames().names][:2]
        assert tuple(names) == samples.names
        index = [found.getParamNames().numberOfName(name) for name in names]
        assert_moments(found.getMeans()[index], np.sqrt(found.getVars()[index]), samples, rtol=1e-4)
    assert read.getParamNames().parWithName("tau_e").isDerived
    assert read.getParamNames().parWithName("log10_f_star10").label == r"\log_{10} f_*"
    assert read.ranges.getLower("log10_m_turn") == 8.0
    assert_exported(nested, read.properties.string("provenance"))
    assert read.sampler == made.sampler == "nested"


def test_anesthetic_reads_a_chain(chain, tmp_path):
    anesthetic = pytest.importorskip("anesthetic")
    (path,) = export(chain, "anesthetic", tmp_path / "run.csv")
    found, samples = anesthetic.read_csv(path), chain.samples()
    assert_moments(found[list(samples.names)].mean().to_numpy(), samples.std(), samples, rtol=1e-6)
    assert found.get_label("log10_f_star10") == r"$\log_{10} f_*$"


def test_anesthetic_reads_a_nested_run_with_its_births(nested, tmp_path):
    """The volumes that anesthetic computes from log_birth give the posterior and the evidence of the sampler."""
    anesthetic = pytest.importorskip("anesthetic")
    (path,) = export(nested, "anesthetic", tmp_path / "run.csv")
    found, samples = anesthetic.read_csv(path), nested.samples()
    assert isinstance(found, anesthetic.NestedSamples) and len(found) == len(samples)
    assert abs(found.logZ() - samples.log_evidence) < 0.05
    mean = found[list(samples.names)].mean().to_numpy()
    np.testing.assert_allclose(mean, samples.mean(), atol=0.02 * samples.std().min())
    assert found.get_label("log10_f_star10") == r"$\log_{10} f_*$"


@pytest.mark.filterwarnings("ignore::FutureWarning")  # ArviZ warns of its next version when it is imported
def test_arviz_draws_nested_samples_with_equal_weights(nested, tmp_path):
    arviz = pytest.importorskip("arviz")
    (path,) = export(nested, "arviz", tmp_path / "run.nc")
    found, samples = arviz.from_netcdf(path), nested.samples()
    posterior = found["posterior"]
    assert posterior["log10_f_star10"].shape == (1, int(samples.ess))
    error = samples.std() / np.sqrt(samples.ess)
    mean = np.array([float(posterior[name].mean()) for name in samples.names])
    assert np.all(np.abs(mean - samples.mean()) < 3 * error)
    assert posterior["log10_m_turn"].attrs == {"units": "log10 Msun", "long_name": r"${\rm log10\_m\_turn}$"}
    weighted = found["weighted"]
    np.testing.assert_allclose(float(weighted["weight"].sum()), 1.0)
    with h5py.File(path) as file:
        assert_exported(nested, file.attrs["provenance"])


def test_arviz_takes_walkers_as_chains(chain):
    pytest.importorskip("xarray")
    tree, samples = RunTable(chain).arviz(), chain.samples()
    values = tree["posterior"]["log10_f_star10"].to_numpy()
    assert values.shape == (8, len(samples) // 8)
    np.testing.assert_array_equal(values[:, 0], samples["log10_f_star10"][:8])
    assert "weighted" not in tree


def test_the_command_writes_into_the_run_folder_and_never_over_anything(chain):
    code, said, _ = command("export", str(chain.path), "--to", "csv", "--derived")
    assert code == 0 and str(chain.path / "export_csv.ecsv") in said
    code, _, error = command("export", str(chain.path), "--to", "csv")
    assert code == 2 and "is not overwritten" in error


def test_refusals(chain, tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match="no form 'pickle'; the forms are 'anesthetic'"):
        export(chain, "pickle")
    (tmp_path / "run.txt").write_text("mine")
    with pytest.raises(DataError, match="not overwritten"):
        export(chain, "getdist", tmp_path / "run")
    monkeypatch.setattr(module, "import_optional", lambda *names: (_ for _ in ()).throw(PluginError(f"needs {names}")))
    with pytest.raises(PluginError):
        export(chain, "anesthetic", tmp_path / "x.csv")
    assert json.loads((chain.path / "summary.json").read_text())["sampler"] == "emcee"
