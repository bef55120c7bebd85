"""What ``astroemu explain`` says of a configuration."""

from __future__ import annotations

import re

import pytest
from helpers import FIT_OF_TAU, assert_refused, command

DOUBLED = """
[probes.optical_depth]
[probes.second]
plugin = "optical_depth"
reference = "Pagano+2020"
[parameters]
tau_e = { distribution = "uniform", low = 0.01, high = 0.1 }
"""


@pytest.fixture
def explained(tmp_path):
    def explain(text, *options):
        (tmp_path / "fit.toml").write_text(text)
        code, said, warned = command("explain", str(tmp_path / "fit.toml"), *options)
        assert code == 0, warned
        assert not warned and [path.name for path in tmp_path.iterdir()] == ["fit.toml"]  # a dry run
        return said

    return explain


def test_it_names_parameters_with_priors_units_and_users(explained):
    said = explained(FIT_OF_TAU, "--set", "emulator_error=2.0")
    assert re.search(r"Sampled parameters \(2\).*\n  log10_f_star10  uniform, low -2, high -0\.5; acg\n", said)
    assert "Fixed parameters (7)" in said and "  log10_m_turn    8.7 log10 Msun; acg" in said
    assert "  optical_depth: 1 data point\n    tau_e: 1 value from acg\n    data: optical_depth" in said
    assert "gives tau_e; not used: x_hi, log10_uv_lf" in " ".join(said.split())
    assert "errors of the emulators: multiplied by 2" in said and "none that the probes state" in said
    assert "Sampler emcee, seed 1" in said and "walkers 64" in said
    assert re.search(r"one point: [\d.]+ microseconds\n  [\d,]+ points together: [\d.]+ microseconds", said)
    assert re.search(r"100% of [\d,]+ draws", said)
    assert max(len(line) for line in said.splitlines() if "fit.toml" not in line) <= 80


def test_data_that_count_twice_are_named(explained):
    said = " ".join(explained(DOUBLED).split())
    assert "probes 'optical_depth' and 'second' both use 'Planck low-l polarisation'" in said
    assert "tau_e: 1 value from the sampled parameter" in said
    assert "tau_e uniform, low 0.01, high 0.1; optical_depth, second" in said
    assert "none: the probes measure the parameters themselves" in said


def test_computed_parameters_and_derived_quantities_are_named(explained):
    tables = """
    [simulators.park19]
    [derived.optical_depth]
    [probes.optical_depth]
    [parameters]
    h = { distribution = "uniform", low = 0.6, high = 0.7 }
    """
    fixed = {
        "omega_m": 0.3, "omega_b": 0.05, "log10_f_star10": -1.2, "alpha_star": 0.5, "log10_f_esc10": -1, "alpha_esc": 0,
        "log10_m_turn": 8.7, "t_star": 0.5, "clumping": 3, "sigma_8": 0.8, "n_s": 0.97,
    }  # fmt: skip
    lines = [f'{k} = {{ distribution = "fixed", value = {v} }}' for k, v in fixed.items()]
    said = explained(tables + "\n".join(lines), "--set", 'simulators.park19.provides=["x_hi"]')
    assert "park19: simulator Park19, run in the likelihood" in said
    assert "optical_depth: derived quantity (OpticalDepth)\n    from x_hi\n    gives tau_e" in said


def test_an_error_is_that_of_the_fit(tmp_path):
    (tmp_path / "fit.toml").write_text(FIT_OF_TAU)
    assert_refused("explain", tmp_path / "fit.toml", "--set", "probes.optical_depth.eror=1", words=["eror", "errors"])
    assert_refused("explain", tmp_path / "fit.toml", "--sampler", "emce", words=["emcee"])


OWN_PARTS = """
[probes.optical_depth]
[probes.mine]
plugin = "my_probe.py:MyProbe"
[derived]
total = "tau_e + a"
[parameters]
tau_e = { distribution = "uniform", low = 0.01, high = 0.1 }
a = { distribution = "uniform", low = "tau_e", high = 1.0 }
"""
PROBE = """
from astroemu import Parameter, Probe
from astroemu.core.distributions import Uniform


class MyProbe(Probe):
    parameters = (Parameter("a", Uniform(0.0, 1.0)),)
    requires = {}

    def log_likelihood(self, predictions, parameters, xp):
        return -0.5 * ((parameters["a"] - 0.5) / 0.1) ** 2
"""


def test_bounds_expressions_and_files_of_code_are_named(tmp_path):
    (tmp_path / "my_probe.py").write_text(PROBE)
    (tmp_path / "own.toml").write_text(OWN_PARTS)
    code, said, warned = command("explain", str(tmp_path / "own.toml"))
    assert code == 0 and not warned
    assert "code of your own, which runs with it:" in said and "my_probe.py" in said
    assert re.search(r"a +uniform, low tau_e, high 1; total, mine \(nuisance\)", said)
    assert "total: the expression tau_e + a\n    only reported: total" in said
