"""A run is exported in five formats; the package of each format reads it."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace

import h5py
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
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
    assert table["log10_m_turn"].info.description == r"$\log_{10} M_{\rm turn}$ [log10 Msun]"
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
    assert posterior["log10_m_turn"].attrs == {"units": "log10 Msun", "long_name": r"$\log_{10} M_{\rm turn}$"}
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


def bent(run, **columns):
    """The table of a run, with other units, symbols and values of its columns."""
    exported = RunTable(run, derived=True)
    for what, changes in columns.items():
        getattr(exported, what).update(changes)
    return exported


@pytest.mark.case(15)
@pytest.mark.case(16)
@pytest.mark.parametrize("unit", ["cMpc", "none", "h^-1 Mpc", "Msun/h", "log10 cMpc", "3 km/s/Mpc"])
def test_a_unit_that_is_a_label_is_written_as_it_is(nested, tmp_path, unit):
    exported = bent(nested, unit={"tau_e": unit})
    module._write_csv(exported, tmp_path / "run.ecsv")
    module._write_fits(exported, tmp_path / "run.fits")
    text, table = QTable.read(tmp_path / "run.ecsv", format="ascii.ecsv"), QTable.read(tmp_path / "run.fits")
    assert text["tau_e"].info.description.endswith(f"[{unit}]")
    assert column_header(tmp_path / "run.fits", "tau_e", "TCOMM").endswith(f"[{unit}]")
    for found in (text["tau_e"], table["tau_e"]):
        assert getattr(found, "unit", None) is None or "h" not in str(found.unit)
        np.testing.assert_array_equal(u.Quantity(found).value, exported.values[:, -1])


def column_header(path, name, key):
    header = fits.getheader(path, 1)
    number = next(i for i in range(1, header["TFIELDS"] + 1) if header[f"TTYPE{i}"] == name)
    return header[f"{key}{number}"]


@pytest.mark.case(21)
@pytest.mark.attack("export", "Greek letters, accents, line ends and escapes in names, symbols and the title, for FITS")
def test_fits_takes_letters_that_it_does_not_have(nested, tmp_path):
    exported = bent(nested, latex={"tau_e": "τ_e", "log10_m_turn": "M\n☉"}, summary={"title": "Réionisation, Σ"})
    exported.names = ("τ", "T", *exported.names[2:])
    for what in (exported.latex, exported.unit):
        what |= {"τ": "τ", "T": "T"} if what is exported.latex else {"τ": "", "T": ""}
    exported.summary["log_evidence"] = -np.inf
    (path,) = module._write_fits(exported, tmp_path / "run.fits")
    table = QTable.read(path)
    assert table.colnames[3:5] == ["tau", "T"]
    assert column_header(path, "tau_e", "TCOMM") == "$tau_e$"
    assert table.meta["TITLE"] == "Reionisation, Sigma" and "LNZ" not in table.meta
    assert "transliterated" in str(table.meta["comments"])
    np.testing.assert_array_equal(table["tau"], exported.values[:, 0])


@pytest.mark.case(32)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_draws_of_a_nested_run_for_arviz_are_shuffled_reproducibly(nested):
    arviz = pytest.importorskip("arviz")
    posterior = RunTable(nested).arviz()["posterior"].to_dataset()
    n = posterior.sizes["draw"]
    assert n == int(nested.samples().ess)
    for name in nested.samples().names:
        assert 0.6 * n < float(arviz.ess(posterior, var_names=[name])[name]) < 1.6 * n
    again = RunTable(nested).arviz()["posterior"].to_dataset()
    assert posterior.equals(again)


@pytest.mark.attack("export", "samples without weight, a likelihood of zero, an undefined derived number, for getdist")
def test_getdist_gets_no_samples_without_weight(nested, tmp_path):
    getdist = pytest.importorskip("getdist")
    exported = bent(nested)
    weight = np.where(np.arange(len(exported.samples)) < 5, -np.inf, exported.samples.log_weight)
    likelihood = np.where(np.isinf(weight), -np.inf, exported.samples.log_likelihood)
    exported.samples = replace(exported.samples, log_weight=weight, log_likelihood=likelihood)
    module._write_getdist(exported, tmp_path / "run")
    found = getdist.loadMCSamples(str(tmp_path / "run"), settings={"ignore_rows": 0})
    assert len(found.weights) == int(np.sum(exported.samples.weight > 0)) and np.isfinite(found.loglikes).all()
    assert len(exported.getdist().weights) == len(found.weights)


@pytest.mark.attack("export", "values around a large offset keep all their digits in the text files of getdist")
def test_getdist_has_every_digit(nested, tmp_path):
    exported = bent(nested)
    exported.values = 2459000.5 + 1e-6 * exported.values
    module._write_getdist(exported, tmp_path / "run")
    rows = np.loadtxt(tmp_path / "run.txt")
    np.testing.assert_array_equal(rows[:, 2:], exported.values[exported.samples.weight > 0])


@pytest.mark.attack("export", "names with blanks, commas and quotes, symbols of two lines")
def test_names_that_a_format_does_not_have_are_quoted_or_refused(nested, tmp_path):
    name = "a 'b', \"c\""
    exported = bent(nested, latex={name: "x\ny"}, unit={name: ""})
    exported.names = (name, *exported.names[1:])
    (path,) = module._write_csv(exported, tmp_path / "run.ecsv")
    np.testing.assert_array_equal(QTable.read(path, format="ascii.ecsv")[name], exported.values[:, 0])
    with pytest.raises(ConfigurationError, match="getdist has no names such as"):
        module._write_getdist(exported, tmp_path / "run")
    assert not (tmp_path / "run.txt").exists()


@pytest.mark.attack("export", "a disk that is full")
@pytest.mark.parametrize("form", ["csv", "fits", "getdist", "arviz", "anesthetic"])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_full_disk_is_a_message_and_leaves_nothing(chain, tmp_path, monkeypatch, form):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        export(chain, form, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


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
