"""Tension of two Gaussians in a box, for which all statistics are known in closed form."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from helpers import command
from scipy.special import erfcinv
from scipy.stats import chi2

from astroemu.analysis.tension import TensionStudy, tension, tension_statistics
from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.probe import Probe
from astroemu.errors import ConfigurationError, RunFolderError, SamplingError
from astroemu.inference.configuration import load_configuration
from astroemu.inference.fitting import fit
from astroemu.inference.run_folder import RunFolder
from astroemu.runtime import plugins

pytest.importorskip("anesthetic")
pytest.importorskip("ultranest")
BOX = 4.0  # side of the prior
SIGMA = (0.1, 0.2)  # widths of the two likelihoods


class Blob(Probe):
    """ln L = -sum((theta - mean)^2) / 2 sigma^2 in x and y; with a nuisance parameter, in that one too."""

    def __init__(self, mean: float, sigma: float, nuisance: str = "") -> None:
        self.mean, self.sigma = mean, sigma
        names = ("x", "y", nuisance) if nuisance else ("x", "y")
        self.parameters = tuple(Parameter(name, Uniform(-BOX / 2, BOX / 2)) for name in names)

    @property
    def requires(self):
        return {}

    def log_likelihood(self, predictions, parameters, xp):
        r = xp.stack([parameters[p.name] - self.mean * (p.name == "x") for p in self.parameters], axis=-1) / self.sigma
        return -0.5 * xp.sum(r * r, axis=-1)


@pytest.fixture(scope="module", autouse=True)
def blobs():
    """The probe, installed."""
    entry = EntryPoint("blob", f"{__name__}:Blob", "astroemu.probes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vars(plugins.PROBES), "entries", {"blob": [entry]})
        yield


def written(folder, distance, *, live_points=100, nuisance=""):
    """Write a configuration of two blobs with this distance in x, and return its path."""
    path = folder / "blobs.toml"
    path.write_text(
        f"""
[probes.a]
plugin = "blob"
mean = 0.0
sigma = {SIGMA[0]}
[probes.b]
plugin = "blob"
mean = {distance}
sigma = {SIGMA[1]}
nuisance = "{nuisance}"
[parameters]
x = {{ distribution = "uniform", low = -2.0, high = 2.0 }}
y = {{ distribution = "uniform", low = -2.0, high = 2.0 }}
{'n = { distribution = "uniform", low = -2.0, high = 2.0 }' if nuisance else ""}
[samplers.emcee]
walkers = 32
starting_draws = 400
[samplers.ultranest]
live_points = {live_points}
"""
    )
    return path


def truth(distance):
    """ln R, I, ln S, d, p and sigma in closed form, for likelihoods far from the walls."""
    square = sum(s**2 for s in SIGMA)
    joint = 1 / np.sqrt(sum(s**-2 for s in SIGMA))
    chi_squared = distance**2 / square
    volumes = 2 * np.log(joint * BOX / (np.sqrt(2 * np.pi) * SIGMA[0] * SIGMA[1]))  # two dimensions
    p = chi2.sf(chi_squared, 2)
    return {
        "log_r": volumes - 0.5 * chi_squared,
        "information": volumes - 1.0,  # each D is ln(BOX / sigma / sqrt(2 pi e)) a dimension
        "log_s": 1.0 - 0.5 * chi_squared,
        "dimensionality": 2.0,
        "p": p,
        "sigma": np.sqrt(2) * erfcinv(p),
    }


@pytest.fixture(scope="module")
def of_a(tmp_path_factory):
    """The finished run of the blob a, which does not depend on the distance of b."""
    folder = tmp_path_factory.mktemp("a")
    configuration = load_configuration(written(folder, 0.0))
    return fit(configuration.only(("a",)), out=folder / "run", sampler="ultranest")[0].path


@pytest.mark.parametrize("sigmas", [pytest.param(0.0, marks=pytest.mark.slow), 4.0])
def test_what_is_known_is_found(of_a, tmp_path, sigmas):
    """Within four of the stated errors, for blobs that agree and that are four standard deviations apart in x."""
    distance = sigmas * np.hypot(*SIGMA)
    shutil.copytree(of_a, tmp_path / "runs" / "a")
    plan = TensionStudy.of(load_configuration(written(tmp_path, distance)), ["a"])
    assert plan.groups == (("a",), ("b",)) and plan.sampler == "ultranest" and plan.left_out == ()
    result = tension(plan, tmp_path / "runs")
    for key, expected in truth(distance).items():
        found = result["statistics"][key]
        tolerance = 4 * found["std"] if key != "p" else 0.3 * max(expected, 0.1)
        assert abs(found["mean"] - expected) < tolerance, (key, found, expected)
        assert found["std"] < 0.6
    for run in result["runs"].values():  # anesthetic's volumes give the evidence of the sampler
        samples = RunFolder.open(run["folder"]).samples()
        assert abs(run["log_evidence"]["mean"] - samples.log_evidence) < 0.1
    assert json.loads((tmp_path / "runs" / "a--b.json").read_text())["statistics"] == result["statistics"]


def test_the_command_goes_on_and_never_takes_a_changed_run(tmp_path):
    path = written(tmp_path, 0.3, live_points=60)
    options = ("tension", str(path), "--between", "a", "--and", "b", "--out", str(tmp_path / "runs"))
    code, said, error = command(*options)
    assert code == 0, error
    assert "A: a" in said and "B: b" in said and "ln S" in said and "a--b.json" in said
    names = {folder.name for folder in (tmp_path / "runs").iterdir() if folder.is_dir()}
    assert names == {"a", "b", "a+b"}
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("samples.h5")}
    again = command(*options)
    assert again[:2] == (0, said)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("samples.h5")}
    code, _, error = command(*options, "--set", "probes.a.sigma=0.11")
    assert code == 2 and "holds another run" in error and "configuration.probes.a.sigma: 0.1 in the folder" in error
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("samples.h5")}


def test_a_nuisance_parameter_with_a_stated_prior_goes_with_its_probe(tmp_path):
    configuration = load_configuration(written(tmp_path, 0.0, live_points=60, nuisance="n"))
    assert configuration.model().names == ("x", "y", "n")
    assert configuration.without(["b"]).model().names == ("x", "y")
    assert configuration.without(["a"]).model().names == ("x", "y", "n")
    broken = configuration.overridden(["probes.b.sigma=wrong"]).without(["b"])  # may be why it is left out
    assert set(broken.document.parameters) == {"x", "y", "n"} and list(broken.probes()) == ["a"]
    plan = TensionStudy.of(configuration, ["a", "b"])
    result = tension(plan, tmp_path / "runs")
    found = result["statistics"]["dimensionality"]
    assert abs(found["mean"] - 2.0) < 4 * found["std"]  # n is constrained by b alone


@pytest.mark.parametrize(
    ("groups", "sampler", "message"),
    [
        (["c"], None, "no probe 'c'"),
        (["a", "a+b"], None, "'a' given twice"),
        (["a+b"], None, "no probe is left for the other group"),
        (["a"], "emcee", "is not nested, but tension needs nested samples.*'ultranest'"),
    ],
)
def test_plans_that_are_refused(tmp_path, groups, sampler, message):
    configuration = load_configuration(written(tmp_path, 0.0))
    with pytest.raises(ConfigurationError, match=message):
        TensionStudy.of(configuration, groups, sampler)


@pytest.fixture
def without_nested(tmp_path):
    """A configuration that names no nested sampler."""
    path = written(tmp_path, 0.0)
    path.write_text(path.read_text().partition("[samplers.ultranest]")[0])
    return load_configuration(path)


def having(monkeypatch, *packages):
    """Only these packages of samplers are installed."""
    monkeypatch.setattr("astroemu.analysis.tension.is_installed", lambda name: name in packages)


def test_the_one_nested_sampler_that_is_installed_is_used(without_nested, monkeypatch):
    having(monkeypatch, "ultranest")
    assert TensionStudy.of(without_nested, ["a"]).sampler == "ultranest"


def test_among_several_nested_samplers_one_must_be_chosen(without_nested, monkeypatch):
    having(monkeypatch, "ultranest", "emcee")
    monkeypatch.setattr("astroemu.analysis.tension._all_nested", lambda: ["emcee", "ultranest"])
    with pytest.raises(ConfigurationError, match=r"no nested sampler.*--sampler; installed: 'emcee', 'ultranest'"):
        TensionStudy.of(without_nested, ["a"])


def test_without_any_nested_sampler_those_that_exist_are_named(without_nested, monkeypatch):
    having(monkeypatch)
    with pytest.raises(ConfigurationError, match="none of 'ultranest' is installed completely"):
        TensionStudy.of(without_nested, ["a"])


def test_runs_without_births_are_refused(tmp_path):
    path = written(tmp_path, 0.0, live_points=60)
    configuration = load_configuration(path, ["samplers.emcee.max_steps=30"])
    folder, _ = fit(configuration, out=tmp_path / "chain", sampler="emcee")
    plan = TensionStudy.of(configuration, ["a"])
    with pytest.raises(SamplingError, match="chain does not hold log_birth"):
        tension_statistics(plan, {"a": folder}, seed=1)
    with pytest.raises(RunFolderError, match="another run"):
        (tmp_path / "runs").mkdir()
        (tmp_path / "chain").rename(tmp_path / "runs" / "a")
        tension(plan, tmp_path / "runs")
