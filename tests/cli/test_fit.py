"""``astroemu fit`` and ``astroemu report`` on the default configuration, in small."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from helpers import FIT_OF_TAU, command

from astroemu.inference.run_folder import RunFolder
from astroemu.sampling.samples import Samples

PROBES = ["power_spectrum_21cm", "uv_luminosity_function", "neutral_fraction", "optical_depth"]
FEW = ["--set", "samplers.emcee.starting_draws=1000"]
SMALL = [*FEW, "--seed", "7", "--set", "samplers.emcee.max_steps=300", "--set", "samplers.emcee.walkers=32"]
TINY = [*FEW, "--set", "samplers.emcee.max_steps=20", "--set", "samplers.emcee.walkers=18"]
#: A fit of two parameters to one datum.
TWO_PARAMETERS = (
    FIT_OF_TAU
    + """
[samplers.emcee]
walkers = 8
max_steps = 30
starting_draws = 100
"""
)
CONTRACT = {
    "sampler", "seed", "parameters", "log_evidence", "log_evidence_err", "n_likelihood", "wall_seconds", "ess",
    "converged", "versions", "inputs",
}  # fmt: skip


def strict(text):
    """JSON as other languages read it: without NaN and Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, examples):
    """One small fit: its folder, and what the command said."""
    out = tmp_path_factory.mktemp("fit") / "run"
    return out, command("fit", str(examples / "reionization.toml"), "--out", str(out), *SMALL)


def test_it_ends_well_and_says_what_it_wrote(fitted):
    folder, (code, said, _) = fitted
    assert code == 0
    for name in ("table.txt", "corner.png", *(f"predictive_{probe}.png" for probe in PROBES)):
        assert str(folder / name) in said
    assert "log10_l_x" in said


def test_it_writes_every_file(fitted):
    folder, _ = fitted
    pictures = {"corner.png", *(f"predictive_{probe}.png" for probe in PROBES)}
    others = {"samples.h5", "summary.json", "table.txt", "configuration.toml", "identity.json", "resolved.json"}
    others |= {"log.txt", "likelihoods.record"}  # the run is unconverged, and can go on
    assert {path.name for path in folder.iterdir()} == pictures | others
    for name in pictures:
        assert (folder / name).read_bytes().startswith(b"\x89PNG\r\n") and (folder / name).stat().st_size > 5000


def test_the_summary_holds_the_contract(fitted):
    folder, _ = fitted
    summary = json.loads((folder / "summary.json").read_text())
    assert set(summary) >= CONTRACT
    assert summary["sampler"] == "emcee" and summary["seed"] == 7 and summary["converged"] is False
    assert summary["log_evidence"] is None and summary["log_evidence_err"] is None
    assert summary["n_likelihood"] >= 300 * 32 and summary["wall_seconds"] > 0 and summary["ess"] >= 0
    assert {"python", "numpy", "scipy", "emcee", "astroemu-inference"} <= set(summary["versions"])
    assert len(summary["inputs"]) == 6  # the configuration, one emulator, four catalogs
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in summary["inputs"].values())
    for numbers in summary["parameters"].values():
        assert set(numbers) >= {"mean", "std", "q025", "q16", "median", "q84", "q975"}
        assert numbers["q025"] <= numbers["q16"] <= numbers["median"] <= numbers["q84"] <= numbers["q975"]


def test_the_summary_is_that_of_the_samples(fitted):
    folder, _ = fitted
    summary, samples = json.loads((folder / "summary.json").read_text()), Samples.load(folder / "samples.h5")
    assert list(summary["parameters"]) == list(samples.names) and len(samples.names) == 9
    for j, numbers in enumerate(summary["parameters"].values()):
        interval = ["hpd68_low", "hpd68_high"]
        assert list(numbers) == ["mean", "std", "q025", "q16", "median", "q84", "q975", *interval]
        assert numbers["mean"] == pytest.approx(samples.theta[:, j].mean())
        assert numbers["std"] == pytest.approx(samples.theta[:, j].std())
        quantiles = [numbers[key] for key in ("q025", "q16", "median", "q84", "q975")]
        expected = np.quantile(samples.theta[:, j], [0.025, 0.16, 0.5, 0.84, 0.975])
        assert quantiles == sorted(quantiles)
        np.testing.assert_allclose(quantiles, expected, atol=0.1 * numbers["std"])


def test_the_optical_depth_is_derived_from_the_samples(fitted):
    folder, _ = fitted
    run = RunFolder.open(folder)
    derived, samples = run.summary()["derived"], run.samples()
    assert set(derived) == {"tau_e"} and "tau_e (derived)" in (folder / "table.txt").read_text()
    tau = run.configuration().model().predict(samples.theta)["tau_e"]
    assert derived["tau_e"]["mean"] == pytest.approx(np.mean(tau), abs=0.15 * np.std(tau))  # of 1000 draws
    assert derived["tau_e"]["std"] == pytest.approx(np.std(tau), rel=0.15)
    assert derived["tau_e"]["q16"] < derived["tau_e"]["median"] < derived["tau_e"]["q84"]


def test_the_samples_lie_in_the_prior(fitted):
    folder, _ = fitted
    model = RunFolder.open(folder).configuration().model()
    samples = Samples.load(folder / "samples.h5")
    assert np.all(model.in_range(samples.theta)) and np.all(np.isfinite(model.log_prior(samples.theta)))
    # float32 networks: products of other shapes round differently.
    np.testing.assert_allclose(
        model.log_likelihood(samples.theta[:200]), samples.log_likelihood[:200], rtol=1e-4, atol=1e-3
    )
    with h5py.File(folder / "samples.h5") as file:
        assert file["theta"].shape == (len(samples), 9)


def test_what_went_in_is_kept(fitted, examples):
    folder, _ = fitted
    assert (folder / "configuration.toml").read_text() == (examples / "reionization.toml").read_text()
    resolved = json.loads((folder / "resolved.json").read_text())["configuration"]
    assert resolved["seed"] == 7 and resolved["samplers"]["emcee"]["max_steps"] == 300


def test_a_second_fit_into_the_folder_is_refused_and_changes_nothing(fitted, examples):
    folder, _ = fitted
    before = hashes(folder)
    code, _, message = command("fit", str(examples / "reionization.toml"), "--out", str(folder), *SMALL)
    assert code == 2 and message.startswith(f"astroemu: {folder} already holds a run") and "--out" in message
    assert message.count("\n") == 1 and "Traceback" not in message
    assert hashes(folder) == before


def test_report_makes_the_pictures_again(tmp_path):
    (tmp_path / "fit.toml").write_text(TWO_PARAMETERS)
    folder = tmp_path / "run"
    assert command("fit", str(tmp_path / "fit.toml"), "--out", str(folder))[0] == 0
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("samples.h5", "summary.json", "resolved.json", "configuration.toml"):
        (copy / name).write_bytes((folder / name).read_bytes())
    code, said, _ = command("report", str(copy))
    assert code == 0 and "log10_f_esc10" in said
    assert set(hashes(copy)) == set(hashes(folder)) - {"identity.json", "likelihoods.record", "log.txt"}
    same = ("samples.h5", "summary.json", "table.txt")
    assert {name: hashes(copy)[name] for name in same} == {name: hashes(folder)[name] for name in same}


def test_runs_are_compared_by_parameter(fitted, tmp_path):
    folder, _ = fitted
    other = tmp_path / "other"
    other.mkdir()
    for name in ("summary.json", "resolved.json", "configuration.toml"):
        (other / name).write_bytes((folder / name).read_bytes())
    samples = Samples.load(folder / "samples.h5")
    column = samples.names.index("alpha_x")
    moved = samples.theta + 0.5 * samples.std() * (np.arange(9) == column)
    replace(samples, theta=moved).save(other / "samples.h5")
    code, said, _ = command("compare", str(folder), str(other))
    rows = [line for line in said.splitlines() if str(other) in line]
    assert code == 0 and len(rows) == 12  # nine parameters, tau_e, how the run went, and its configuration
    assert "+0.50 std of the first run" in rows[column] and "+0.00 std" in rows[0]
    assert "NOT converged" in said
    code, _, message = command("compare", str(folder), str(tmp_path / "absent"))
    assert code == 2 and "absent" in message


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """Two fits of a few steps with one seed and without --out: their folders."""
    here = tmp_path_factory.mktemp("twice")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        codes = [command("fit", "--no-report", "--seed", "3", *TINY)[0] for _ in range(2)]
    assert codes == [0, 0]
    return here / "runs" / "reionization", here / "runs" / "reionization-2"


def test_without_out_each_fit_has_its_own_folder(twice):
    for folder in twice:
        inputs = {"configuration.toml", "identity.json", "resolved.json"}
        assert set(hashes(folder)) == {"samples.h5", "summary.json", "likelihoods.record", "log.txt"} | inputs


def test_the_seed_decides_the_samples(twice):
    first, again = (Samples.load(folder / "samples.h5") for folder in twice)
    np.testing.assert_array_equal(first.theta, again.theta)
    np.testing.assert_array_equal(first.log_likelihood, again.log_likelihood)


def test_the_summary_of_a_very_short_run_is_json_too(twice):
    """Too short for any autocorrelation time: what is not known is null, not NaN."""
    for name in ("summary.json", "resolved.json"):
        assert len(strict((twice[0] / name).read_text())) > 1


def test_a_probe_can_be_left_out(tmp_path):
    out = tmp_path / "run"
    code, *_ = command("fit", "--no-report", "--out", str(out), "--without", PROBES[0], "--without", PROBES[3], *TINY)
    assert code == 0
    assert list(RunFolder.open(out).configuration().model().probes) == PROBES[1:3]
    code, _, message = command("fit", "--out", str(tmp_path / "other"), "--without", "neutral_fractoin", *TINY)
    assert code == 2 and "no probe 'neutral_fractoin'. Did you mean 'neutral_fraction'" in message


def modules(code):
    """Top-level modules that a script has imported by its end."""
    script = f"import sys\n{code}\nprint('|'.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split("|"))


MAIN = """
sys.argv = ["astroemu", *{!r}]
from astroemu.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
"""


def test_a_fit_imports_no_tensorflow(tmp_path):
    found = modules(MAIN.format(["fit", "--no-report", "--out", str(tmp_path / "run"), *TINY]))
    assert "emcee" in found and not found & {"tensorflow", "keras", "torch", "jax", "ultranest", "py21cmemu"}


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["fit", "--help"], ["--version"]])
def test_help_and_list_import_nothing_heavy(arguments):
    found = modules(MAIN.format(arguments))
    assert not found & {"numpy", "scipy", "h5py", "matplotlib", "astropy", "tensorflow", "keras", "emcee"}
