"""Reweighted runs: Gaussians are added and left out, and all results are known in closed form."""

from __future__ import annotations

import inspect
import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from helpers import command

from astroemu.analysis.reweight import MIN_ESS, reweight
from astroemu.cli.reweight import reweight as reweight_command
from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.probe import Probe
from astroemu.errors import ConfigurationError, DataError, SamplingError
from astroemu.inference.configuration import load_configuration
from astroemu.inference.fitting import fit
from astroemu.inference.run_folder import RunFolder
from astroemu.runtime import plugins

MEAN, SIGMA = {"a": 0.0, "b": 0.15}, {"a": 0.1, "b": 0.2}
COUNTED = {"points": 0}


class Blob(Probe):
    """ln L = -(x - mean)^2 / 2 sigma^2; with a nuisance parameter, an offset of x."""

    def __init__(self, mean: float, sigma: float, nuisance: str = "", slow: bool = False) -> None:
        self.mean, self.sigma, self.nuisance, self.slow = mean, sigma, nuisance, slow
        self.parameters = tuple(Parameter(name, Uniform(-1.0, 1.0)) for name in ("x", nuisance) if name)

    @property
    def requires(self):
        return {}

    def log_likelihood(self, predictions, parameters, xp):
        COUNTED["points"] += self.slow * len(parameters["x"])
        offset = 0.1 * parameters[self.nuisance] if self.nuisance else 0.0
        return -0.5 * ((parameters["x"] - offset - self.mean) / self.sigma) ** 2


TOML = """
title = "blobs"
[probes.a]
plugin = "blob"
mean = 0.0
sigma = 0.1
slow = true
[probes.b]
plugin = "blob"
mean = 0.15
sigma = 0.2
[parameters]
x = { distribution = "uniform", low = -1.0, high = 1.0 }
y = { distribution = "uniform", low = -1.0, high = 1.0 }
[samplers.emcee]
walkers = 16
effective_samples = 4000
starting_draws = 2000
[samplers.ultranest]
live_points = 400
[probes.c]
plugin = "blob"
mean = 0.0
sigma = 10.0
nuisance = "y"
"""


@pytest.fixture(scope="module", autouse=True)
def blobs():
    """The probe, installed."""
    entry = EntryPoint("blob", f"{__name__}:Blob", "astroemu.probes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vars(plugins.PROBES), "entries", {"blob": [entry]})
        yield


@pytest.fixture(scope="module", params=["emcee", "ultranest"])
def run(request, tmp_path_factory):
    """A run of all three blobs."""
    pytest.importorskip(request.param)
    folder = tmp_path_factory.mktemp("blobs")
    (folder / "blobs.toml").write_text(TOML)
    return fit(load_configuration(folder / "blobs.toml"), out=folder / "run", sampler=request.param)[0]


def known(*names):
    """Mean, width and ln Z of the product of some blobs in the box."""
    precision = sum(SIGMA[name] ** -2 for name in names)
    mean = sum(MEAN[name] * SIGMA[name] ** -2 for name in names) / precision
    rest = sum(MEAN[name] ** 2 * SIGMA[name] ** -2 for name in names) - mean**2 * precision
    return mean, precision**-0.5, np.log(np.sqrt(2 * np.pi / precision) / 2) - 0.5 * rest


def assert_known(samples, *names):
    mean, width, log_evidence = known(*names)
    error = width / np.sqrt(samples.ess)
    assert abs(samples.mean()[0] - mean) < 4 * error and abs(samples.std()[0] - width) < 4 * error
    if samples.log_evidence is not None:
        assert abs(samples.log_evidence - log_evidence) < 4 * samples.log_evidence_err


def test_a_probe_is_dropped(run, tmp_path):
    configuration = run.configuration().without(["b"])
    folder, _ = reweight(run, configuration, out=tmp_path / "a", min_ess=100)
    samples, summary = folder.samples(), folder.summary()
    assert_known(run.samples(), "a", "b")
    assert_known(samples, "a")
    assert samples.log_birth is None and list(summary["best_log_likelihood"]) == ["a", "c"]
    assert summary["reweighted"]["dropped"] == ["b"] and summary["reweighted"]["kish_ess"] >= summary["ess"] * 0.999
    assert samples.log_likelihood == pytest.approx(configuration.model().log_likelihood(samples.theta))


def test_added_and_dropped_again_is_the_old_posterior(run, tmp_path):
    table = '{plugin = "blob", mean = 0.1, sigma = 0.15}'
    more, _ = reweight(run, run.configuration().overridden([f"probes.d={table}"]), out=tmp_path / "more", min_ess=100)
    assert not np.allclose(more.samples().mean()[0], run.samples().mean()[0], atol=0.005)
    back, _ = reweight(more, more.configuration().without(["d"]), out=tmp_path / "back", min_ess=100)
    np.testing.assert_allclose(back.samples().weight, run.samples().weight, rtol=1e-9, atol=1e-300)
    assert back.samples().log_evidence == (
        None if run.samples().log_evidence is None else pytest.approx(run.samples().log_evidence)
    )
    assert back.samples().ess == pytest.approx(run.samples().ess)
    assert back.summary()["reweighted"]["earlier"]["added"] == ["d"]


def test_only_what_changes_is_evaluated(run, tmp_path):
    """All samples are evaluated for b, but only a few for the slow probe."""
    before = COUNTED["points"]
    reweight(run, run.configuration().overridden(["probes.b.sigma=0.3"]), out=tmp_path / "b", min_ess=100)
    assert COUNTED["points"] - before < 100 < len(run.samples())


def test_a_nuisance_parameter_goes_with_its_probe(run, tmp_path):
    folder, _ = reweight(run, run.configuration().without(["c"]), out=tmp_path / "x", min_ess=100)
    assert run.samples().names == ("x", "y") and folder.samples().names == ("x",)
    assert_known(folder.samples(), "a", "b")


OFFSET = 'probes.d={plugin = "blob", mean = 0.1, sigma = 0.1, nuisance = "n"}'


def test_a_new_nuisance_parameter_is_drawn_from_its_prior(run, tmp_path):
    """The offset 0.1 n with n uniform on [-1, 1]: the posterior is known on a grid."""
    changed = run.configuration().overridden([OFFSET])
    folder, model = reweight(run, changed, out=tmp_path / "more", min_ess=100, draws=8)
    samples, summary = folder.samples(), folder.summary()
    assert samples.names == ("x", "y", "n") == model.names
    x, n = np.meshgrid(np.linspace(-1, 1, 801), np.linspace(-1, 1, 401), indexing="ij")
    log_l = sum(-0.5 * ((x - MEAN[k]) / SIGMA[k]) ** 2 for k in "ab") - 0.5 * ((x - 0.1 * n - 0.1) / 0.1) ** 2
    density = np.exp(log_l)
    for j, grid in ((0, x), (2, n)):
        mean = np.sum(density * grid) / density.sum()
        std = np.sqrt(np.sum(density * (grid - mean) ** 2) / density.sum())
        error = std / np.sqrt(samples.ess)
        assert abs(samples.mean()[j] - mean) < 4 * error and abs(samples.std()[j] - std) < 4 * error
    if samples.log_evidence is not None:
        log_evidence = np.log(density.mean())  # c is flat
        assert abs(samples.log_evidence - log_evidence) < 4 * samples.log_evidence_err
    assert samples.ess <= run.samples().ess * 1.001
    assert summary["reweighted"]["drawn"] == ["n"] and summary["reweighted"]["draws"] == 8
    assert samples.log_likelihood == pytest.approx(model.log_likelihood(samples.theta))


def test_the_draws_of_a_new_parameter_do_not_depend_on_anything_but_the_seed(run, tmp_path):
    changed = run.configuration().overridden([OFFSET])
    first, second = (reweight(run, changed, out=tmp_path / name, min_ess=1)[0] for name in "ab")
    np.testing.assert_array_equal(first.samples().theta, second.samples().theta)
    with pytest.raises(ConfigurationError, match="draws = 0: at least one"):
        reweight(run, changed, out=tmp_path / "c", draws=0)


def test_its_prior_in_the_configuration_is_used(run, tmp_path):
    table = 'parameters.n={distribution = "normal", mean = 0.5, std = 0.01}'
    before = COUNTED["points"]
    folder, _ = reweight(run, run.configuration().overridden([OFFSET, table]), out=tmp_path / "n", min_ess=1)
    assert folder.samples().mean()[2] == pytest.approx(0.5, abs=0.01)
    assert COUNTED["points"] - before < 100  # the slow probe does not change


def test_too_few_effective_samples_are_refused(run, tmp_path):
    far = run.configuration().overridden(["probes.b.mean=0.9", "probes.b.sigma=0.02"])
    with pytest.raises(SamplingError, match=r"with another b: \d+ of \d+ effective samples are left, but at least 400"):
        reweight(run, far, out=tmp_path / "far")
    assert not (tmp_path / "far").exists()
    assert inspect.signature(reweight_command).parameters["min_ess"].default.default == MIN_ESS


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "nothing changes"),
        (['parameters.x={distribution="uniform", low=-0.5, high=0.5}'], "the prior of 'x' is"),
        (['parameters.y={distribution="fixed", value=0.0}'], "'y' sampled in the run would be held fixed"),
    ],
)
def test_changes_that_weights_cannot_make(run, tmp_path, overrides, message):
    with pytest.raises(ConfigurationError, match=message):
        reweight(run, run.configuration().overridden(overrides), out=tmp_path / "no")


def test_a_likelihood_that_is_not_what_it_was_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(Blob, "log_likelihood", lambda self, predictions, parameters, xp: -(parameters["x"] ** 2))
    with pytest.raises(DataError, match=r"ln L of a sample was .* and is"):
        reweight(run, run.configuration().without(["b"]), out=tmp_path / "no")


def test_the_new_run_is_read_as_any_other(run, tmp_path):
    out = tmp_path / "new"
    code, said, error = command("reweight", str(run.path), "--without", "b", "--out", str(out), "--min-ess", "100")
    assert code == 0, error
    assert "effective samples are left" in said and str(out / "corner.png") in said
    assert (out / "configuration.toml").read_text() == TOML
    for arguments in (
        ("report", str(out), "--html"),
        ("compare", str(run.path), str(out)),
        ("export", str(out), "--to", "csv"),
    ):
        code, said, error = command(*arguments)
        assert code == 0, error
    code, _, error = command("reweight", str(run.path), "--without", "b", "--out", str(out))
    assert code == 2 and "already holds a run" in error
    configuration = str(run.configuration().path)
    code, _, error = command("fit", configuration, "--without", "b", "--out", str(out), "--resume")
    assert code == 2 and "holds no run that could be resumed" in error  # no sampler's
    assert json.loads((out / "summary.json").read_text())["reweighted"]["from"] == str(run.path)
    assert RunFolder.open(out).configuration().document.probes.keys() == {"a", "c"}


def test_below_the_least_the_command_says_what_to_do(run, tmp_path):
    far = ("--set", "probes.b.mean=0.9", "--set", "probes.b.sigma=0.02")
    code, _, error = command("reweight", str(run.path), *far, "--out", str(tmp_path / "far"))
    assert code == 2 and "astroemu fit" in error and "Traceback" not in error
