"""Plugin files, expressions and joint priors in a configuration: fitted, stored, repeated, and refused when changed."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
from helpers import command

from astroemu.core.posterior_prior import PosteriorPrior
from astroemu.errors import AstroemuError, ConfigurationError, PluginError, ResolutionError, RunFolderError
from astroemu.inference.configuration import configuration_from, load_configuration
from astroemu.inference.fingerprint import RunFingerprint, of_likelihood
from astroemu.inference.fitting import fit
from astroemu.inference.run_folder import RunFolder
from astroemu.inference.stored_inputs import input_files
from astroemu.report.tables import text_table
from astroemu.sampling.samples import Samples

PROBE = """
from astroemu import Parameter, Probe
from astroemu.core.distributions import Uniform


class MyProbe(Probe):
    '''The sum of two numbers is known.'''

    parameters = (Parameter("a", Uniform(-1.0, 1.0)), Parameter("b", Uniform(-1.0, 1.0)))

    def __init__(self, datum: float = 0.5) -> None:
        self.datum = datum

    @property
    def requires(self):
        return {}

    def log_likelihood(self, predictions, parameters, xp):
        return -0.5 * ((parameters["a"] + parameters["b"] - self.datum) / 0.1) ** 2
"""

TOML = """
[probes.mine]
plugin = "code/my_probe.py:MyProbe"
[derived]
total = "a + b"
[derived.doubled]
expression = "2 * total"
latex = '2 (a + b)'
unit = "mK"
[parameters]
a = { distribution = "uniform", low = -1.0, high = 1.0 }
b = { distribution = "uniform", low = "a", high = 1.0 }
[samplers.emcee]
walkers = 8
effective_samples = 100
max_steps = 1000
check_every = 50
starting_draws = 200
"""


def written(folder, text=TOML, code=PROBE):
    (folder / "code").mkdir(parents=True, exist_ok=True)
    (folder / "code" / "my_probe.py").write_text(code)
    (folder / "fit.toml").write_text(text)
    return load_configuration(folder / "fit.toml")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a probe in a file."""
    folder = tmp_path_factory.mktemp("own")
    code, _, error = command("fit", str(written(folder).path), "--out", str(folder / "run"), "--no-report")
    assert code == 0, error
    return folder / "run"


def test_expressions_are_reported_like_derived_numbers(run):
    summary = RunFolder.open(run).summary()
    assert list(summary["derived"]) == ["total", "doubled"]
    a, b = (summary["parameters"][name]["mean"] for name in "ab")
    assert summary["derived"]["total"]["mean"] == pytest.approx(a + b, abs=0.02) == pytest.approx(0.5, abs=0.1)
    assert summary["derived"]["doubled"]["mean"] == pytest.approx(2 * summary["derived"]["total"]["mean"])
    assert "total (derived)" in text_table(summary)


def test_expressions_are_exported_and_predicted_like_derived_numbers(run, tmp_path):
    out = tmp_path / "it.csv"
    code, _, error = command("export", str(run), "--to", "csv", "--out", str(out), "--derived", "--run-plugin-files")
    assert code == 0 and "doubled" in out.read_text(), error
    model = load_configuration(run.parent / "fit.toml").model()
    assert {k: v.item() for k, v in model.predict(np.array([[0.25, 0.5]])).items()} == {"total": 0.75, "doubled": 1.5}
    assert model.observables["doubled"].latex == "2 (a + b)" and model.observables["doubled"].unit == "mK"


def test_the_bound_holds_in_every_sample(run):
    theta = RunFolder.open(run).samples().theta
    assert np.all(theta[:, 1] >= theta[:, 0])


def test_the_file_is_stored_with_the_run_and_counts_by_its_content(run):
    stored = [file["file"] for file in RunFolder.open(run).resolved()["inputs"]]
    assert [name.rpartition("/")[2] for name in stored] == ["my_probe.py"]
    assert (run / stored[0]).read_text() == PROBE
    identity = RunFingerprint.load(run / "identity.json").must_match
    assert "my_probe.py" in identity["source"]
    assert identity["configuration"]["probes"]["mine"] == {"class": "my_probe.py:MyProbe", "datum": 0.5}
    assert identity["configuration"]["joint_priors"] == {
        "b": {"parameters": ["b"], "distribution": "uniform", "low": -1, "high": 1, "bounds": {"low": "a"}}
    }


def test_a_changed_file_is_refused_by_name_when_a_run_is_resumed(run, tmp_path):
    configuration = written(tmp_path, code=PROBE + "\n# a comment\n")
    message = r"source\.my_probe\.py: .* now \(.*my_probe\.py\)(.|\n)*Only code has changed"
    with pytest.raises(RunFolderError, match=message):
        fit(configuration, out=run, resume=True)
    folder, _ = fit(written(tmp_path), out=run, resume=True)  # moved, and the same
    assert folder.path == run


def test_a_changed_expression_is_another_run(run, tmp_path):
    with pytest.raises(RunFolderError, match=r"configuration.derived.total.expression: \"a \+ b\" in the folder"):
        fit(written(tmp_path, TOML.replace('"a + b"', '"a + 2 * b"')), out=run, resume=True)


@pytest.fixture
def as_a_new_process(monkeypatch):
    """As if this process had not executed any file."""
    for name in [name for name in sys.modules if name.startswith("astroemu_plugin_file_")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("as_a_new_process")
@pytest.mark.attack("run folder", "a run folder with a probe of its own, given to every command that opens run folders")
def test_a_run_folder_is_repeated_with_consent_only(run, tmp_path):
    """The original file is gone, so that the copy is used."""
    folder = tmp_path / "moved"
    shutil.copytree(run, folder)
    resolved = json.loads((folder / "resolved.json").read_text())
    resolved["inputs"][0]["path"] = str(tmp_path / "gone" / "code" / "my_probe.py")
    resolved["path"] = str(tmp_path / "gone" / "fit.toml")
    (folder / "resolved.json").write_text(json.dumps(resolved))
    again = ("--out", str(tmp_path / "again"))
    for refused in (
        ("report", str(folder)),
        ("report", str(folder), "--html"),
        ("rerun", str(folder), *again),
        ("cite", str(folder)),
        ("export", str(folder), "--to", "csv"),
        ("reweight", str(folder), "--set", "probes.mine.datum=0.4"),
    ):
        code, _, error = command(*refused)
        assert code == 2, refused
        assert "not executed unasked" in " ".join(error.split()) and "--run-plugin-files" in error, refused
    assert not (tmp_path / "again").exists()
    assert command("compare", str(folder), str(folder))[0] == 0  # reads numbers only
    code, said, error = command("rerun", str(folder), *again, "--run-plugin-files")
    assert code == 0 and "identical" in said, error


def test_two_files_of_one_name_are_refused(tmp_path):
    configuration = written(tmp_path, TOML + '[probes.other]\nplugin = "my_probe.py:MyProbe"\n')
    (tmp_path / "my_probe.py").write_text(PROBE)
    with pytest.raises(ConfigurationError, match="have one name; rename one of them"):
        configuration.model()


def test_a_missing_file_is_named_with_its_table(tmp_path):
    configuration = written(tmp_path)
    (tmp_path / "code" / "my_probe.py").unlink()
    with pytest.raises(PluginError, match=r"fit.toml, \[probes.mine\]: there is no file .*code/my_probe.py"):
        configuration.model()


def test_the_kit_examines_a_probe_in_a_file(tmp_path):
    folder = written(tmp_path).path.parent / "code"
    code, said, error = command("check", f"{folder / 'my_probe.py'}:MyProbe")
    assert code == 0 and "no state" in said, error
    code, _, error = command("check", f"{folder / 'my_probe.py'}:MyProb")
    assert code == 2 and "Did you mean 'MyProbe'" in " ".join(error.split())


NORMAL_PRIOR = {"distribution": "normal", "mean": 0, "std": 1}
ABOVE_B = {"distribution": "uniform", "low": -1, "high": "b"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"derived.total": "a + c"}, r"\[derived.total\]: 'c' in 'a \+ c' is no parameter and no single number"),
        ({"derived.doubled": "2 * totl"}, "'totl' in '2 . totl' is no parameter.*Did you mean 'total'"),
        (
            {"derived.total": "lgo(a)"},
            r"\[derived.total\]: 'lgo\(a\)': no function is called 'lgo'. Did you mean 'log'",
        ),
        ({"derived.total": "doubled / 2"}, "in a circle: total -> doubled -> total"),
        ({"derived.a": "b + 1"}, r"\[derived.a\]: 'a' has a prior too"),
        ({"derived.total": {"expression": "a", "plugin": "optical_depth"}}, "'plugin' belong"),
        ({"derived.flat_lambda_cdm": {"latex": "x"}}, "`latex` and `unit` belong to an `expression`"),
        ({"derived.total": 3}, "derived.total"),
        (
            {"parameters.b": {"distribution": "uniform", "low": "c", "high": 1}},
            "'c' is neither a number nor a parameter",
        ),
        ({"parameters.a": ABOVE_B}, r"\[parameters.a\]: the bounds form a circle: a -> b -> a"),
        ({"parameters.b": {"distribution": "beta", "alpha": 1, "beta": 1, "low": "a"}}, "that is a parameter is poss"),
        ({"parameters.a": NORMAL_PRIOR}, "'a', whose own prior has no end on this side"),
    ],
)
def test_a_wrong_part_is_refused(tmp_path, change, message):
    raw = {key: dict(value) for key, value in written(tmp_path).raw.items()}
    for key, value in change.items():
        table, name = key.split(".")
        raw[table][name] = value
    with pytest.raises(AstroemuError, match=message):
        configuration_from(raw, tmp_path / "fit.toml").model()


def test_a_bound_that_is_fixed_is_a_number(tmp_path):
    model = load_configuration(written(tmp_path).path, ['parameters.a={distribution="fixed", value=0.2}']).model()
    assert model.names == ("b",) and model.prior["b"].prior.support == (0.2, 1.0) and not model.prior.joint


START = """
[probes.mine]
plugin = "code/my_probe.py:MyProbe"
[joint_priors.both]
"""
NORMAL = f"""{START}
distribution = "normal"
parameters = ["a", "b"]
mean = [0.0, 0.2]
std = [0.3, 0.4]
correlation = [[1.0, -0.5], [-0.5, 1.0]]
[parameters.b]
latex = '\\beta'
"""


def test_a_correlated_normal_is_a_prior_of_two_parameters(tmp_path):
    model = written(tmp_path, NORMAL).model()
    assert model.names == ("b", "a") and model.prior["b"].latex == r"\beta"
    drawn = model.prior.sample(50_000, np.random.default_rng(1))
    np.testing.assert_allclose(np.cov(drawn.T), [[0.16, -0.06], [-0.06, 0.09]], atol=0.005)
    np.testing.assert_allclose(drawn.mean(axis=0), [0.2, 0.0], atol=0.01)


@pytest.mark.parametrize("converged", [True, False])
def test_the_posterior_of_a_run_is_a_prior(tmp_path, converged):
    """The samples are a file that the configuration names, which is stored and hashed."""
    rng = np.random.default_rng(0)
    a = rng.normal(0.2, 0.1, 2000)
    theta = np.stack([a, 0.5 - a + 0.05 * rng.normal(size=2000)], axis=1)
    zero = np.zeros(2000)
    samples = Samples(("a", "b"), theta, zero, zero, zero - np.log(2000), "known", 2000.0, converged, "", 2000)
    samples.save(tmp_path / "before.h5", {})
    table = 'distribution = "posterior"\nparameters = ["b", "a"]\nsamples = "before.h5"\n[parameters]\n'
    configuration = written(tmp_path, START + table)
    if converged:
        model = configuration.model()
    else:
        with pytest.warns(UserWarning, match="the run that is used as a prior has not converged"):
            model = configuration.model()
    assert model.names == ("b", "a") and isinstance(model.prior.joint[0], PosteriorPrior)
    drawn = model.prior.sample(20_000, np.random.default_rng(1))
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(theta[:, ::-1].T), rtol=0.15)
    assert {file.path.rpartition("/")[2] for file in input_files(configuration)} == {"before.h5", "my_probe.py"}
    identity = of_likelihood(configuration, model)["configuration"]["joint_priors"]["b+a"]
    assert set(identity["samples"]) == {"sha256"} and identity["bounds"] == [[None, None], [None, None]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('distribution = "normal"\nmean = [0, 0]\ncovariance = [[1.0]]', r"covariance has the shape \(1, 1\)"),
        (
            'distribution = "normal"\nmean = [0, 0]\ncovariance = [[1, 2], [2, 1]]',
            r"\[joint_priors.both\]: the covariance is not positive definite",
        ),
        ('distribution = "normal"\nmean = [0, 0]', "give `covariance`, or `std` and `correlation`"),
        ('distribution = "gaussian"', "distribution = 'gaussian' is not one of 'normal', 'ordered', 'posterior'"),
        ('distribution = "posterior"\nsamples = "gone.h5"', "gone.h5"),
        ('distribution = "posterior"\nsamples = "code/"', "is a folder; name the file: .*samples.h5"),
        ('distribution = "ordered"\nlow = 1\nhigh = 0', "low = 1.0 must be finite and below"),
        ('distribution = "ordered"\nlow = 0', "the key 'high' is missing"),
        ('distribution = "ordered"\nlow = 0\nhigh = 1\nhihg = 2', "unknown key 'hihg'. Did you mean 'high'"),
    ],
)
def test_a_wrong_joint_prior_is_refused(tmp_path, table, message):
    with pytest.raises(AstroemuError, match=message):
        written(tmp_path, f'{START}parameters = ["a", "b"]\n{table}\n[parameters]\n').model()


def test_a_parameter_has_one_prior(tmp_path):
    configuration = written(tmp_path, NORMAL + 'distribution = "fixed"\nvalue = 1.0\n')
    with pytest.raises(ConfigurationError, match=r"\[parameters.b\]: 'b' has a prior in \[joint_priors.both\]; remove"):
        configuration.prior()


TAU = '[probes.optical_depth]\n[parameters.tau_e]\ndistribution = "uniform"\nlow = 0.0\nhigh = 0.2\n'


def test_without_a_probe_its_joint_prior_goes_too(tmp_path):
    left = written(tmp_path, NORMAL + TAU).without(["mine"])
    assert left.prior().names == ("tau_e",) and left.raw["joint_priors"] == {}


def test_a_joint_prior_that_is_needed_in_part_must_be_changed(tmp_path):
    shared = NORMAL.replace('parameters = ["a", "b"]', 'parameters = ["tau_e", "b"]').partition("[parameters.b]")[0]
    text = shared + '[parameters.a]\ndistribution = "uniform"\nlow = 0.0\nhigh = 1.0\n[probes.optical_depth]\n'
    with pytest.raises(ConfigurationError, match=r"\[joint_priors.both\]: nothing uses 'b' any more, but the other"):
        written(tmp_path, text).without(["mine"])


CUT = """
truncate_prior = true
[emulators.acg]
[probes.optical_depth]
[joint_priors.both]
distribution = "normal"
parameters = ["log10_f_star10", "alpha_star"]
mean = [-1.3, 0.5]
covariance = [[0.04, 0.01], [0.01, 0.02]]
[parameters]
log10_f_esc10 = { distribution = "fixed", value = -1.0 }
alpha_esc = { distribution = "fixed", value = 0.0 }
log10_m_turn = { distribution = "fixed", value = 8.7 }
t_star = { distribution = "fixed", value = 0.5 }
log10_l_x = { distribution = "fixed", value = 40.5 }
e_0_keV = { distribution = "fixed", value = 0.5 }
alpha_x = { distribution = "fixed", value = 1.0 }
"""


def test_the_prior_is_cut_to_the_range_of_an_emulator(tmp_path):
    (tmp_path / "cut.toml").write_text(CUT)
    model = load_configuration(tmp_path / "cut.toml").model()
    theta = model.prior.sample(2000, np.random.default_rng(0))
    assert np.all(model.in_range(theta)) and np.all(np.isfinite(model.log_prior(theta)))
    with pytest.raises(ResolutionError, match=r"the prior of 'log10_f_star10' covers .*-inf, inf"):
        load_configuration(tmp_path / "cut.toml", ["truncate_prior=false"]).model()
