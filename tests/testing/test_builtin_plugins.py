"""Every built-in plugin passes the conformance kit."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from astroemu.runtime.plugins import CATALOGS, EMULATORS, PROBES, SIMULATORS, TRAINED
from astroemu.testing import check_installed, check_probe, check_sampler
from astroemu_plugins.samplers.emcee import Emcee
from astroemu_plugins.samplers.multinest import MultiNest
from astroemu_plugins.samplers.nautilus import Nautilus
from astroemu_plugins.samplers.nuts import Nuts
from astroemu_plugins.samplers.pmc import PMC
from astroemu_plugins.samplers.ultranest import UltraNest
from astroemu_probes.neutral_fraction import NeutralFraction
from astroemu_probes.optical_depth import OpticalDepth
from astroemu_probes.power_spectrum_21cm import PowerSpectrum21cm
from astroemu_probes.uv_luminosity_function import UVLuminosityFunction


def owned(group):
    """Return the names of the built-in plugins of a group; others may be installed too."""
    return [name for name, same in group.entries.items() if same[0].dist.name == "astroemu-inference"]


#: They have to be told which likelihood of another package, or which file, so tests/probes checks them.
BRIDGES = {"candl", "cobaya", "table"}
#: Limits with common errors take 10 to 30 s each. Their own tests in tests/probes try one form of each.
LIMITS = {"power_spectrum_21cm", "limits_21cm"}
PLUGINS = [
    pytest.param(group.noun, name, marks=[pytest.mark.slow] * (name in LIMITS))
    for group in (PROBES, TRAINED, CATALOGS)
    for name in owned(group)
    if name not in BRIDGES
]


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_a_plugin_conforms(kind, name):
    (report,) = check_installed(name, kind=kind)
    if any("may not be" in finding.detail for finding in report.failures):
        pytest.skip("its data may not be passed on, and were not fetched or installed")
    report.demand()
    assert len(report.findings) > 3


@pytest.mark.parametrize("name", owned(SIMULATORS))
def test_a_simulator_conforms(name):
    (report,) = check_installed(name, kind="simulator")
    if report.failures and "needs" in report.failures[0].detail:
        pytest.skip(report.failures[0].detail)
    report.demand()


@pytest.mark.filterwarnings("default")  # TensorFlow and Keras warn about their own dependencies
@pytest.mark.usefixtures("without_xla")
@pytest.mark.parametrize(
    "name", [n if n == "neural" else pytest.param(n, marks=pytest.mark.slow) for n in owned(EMULATORS)]
)
def test_a_kind_of_emulator_conforms(name):
    (report,) = check_installed(name, kind="kind of emulator")
    report.demand()
    assert report.findings[1].outcome == "passed"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("emcee", lambda: Emcee(walkers=32)),
        ("pmc", lambda: PMC(starting_draws=5000, effective_samples=2000)),
        pytest.param("ultranest", lambda: UltraNest(live_points=100), marks=pytest.mark.slow),
        # Their own tests in tests/plugins/samplers are fast; these take 10 to 40 s.
        pytest.param(
            "nautilus",
            lambda: Nautilus(live_points=100, effective_samples=1000, evidence_fraction=0.05),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "nuts",
            lambda: Nuts(chains=8, warmup=1, effective_samples=500, r_hat=1.03, starting_draws=2000),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_sampler_conforms(name, make, monkeypatch):
    # Most of the time of nuts is compilation: by JAX, which is faster than TensorFlow, and without optimisation.
    monkeypatch.setenv("KERAS_BACKEND", "jax" if find_spec("jax") else "tensorflow")
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
    check_sampler(make, name).demand()


@pytest.mark.skipif(not MultiNest.component().usable, reason="needs libmultinest")
def test_multinest_conforms():
    check_sampler(lambda: MultiNest(live_points=100), "multinest").demand()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["emcee", "nautilus", "nuts", "pmc", "ultranest"])
def test_a_sampler_conforms_in_processes_of_its_own(name):
    (report,) = check_installed(name, in_processes=True)
    report.demand()


@pytest.mark.parametrize(
    "probe",
    [
        lambda: OpticalDepth(reference="Qin+2020"),
        lambda: NeutralFraction(references=("Durovcikova+2024", "Greig+2017")),
        lambda: UVLuminosityFunction(sets={"Harikane+2023": (9.0, 12.0)}, m_uv_min=-24.0),
        lambda: UVLuminosityFunction(errors="symmetric"),
        lambda: PowerSpectrum21cm(likelihood="gaussian", fields=("A",)),
        pytest.param(lambda: PowerSpectrum21cm(fields=("A",)), marks=pytest.mark.slow),
        lambda: OpticalDepth(reference="Qin+2020", errors="barlow"),
        pytest.param(lambda: UVLuminosityFunction(errors="barlow"), marks=pytest.mark.slow),
        lambda: NeutralFraction(references=("McGreer+2015", "Zhu+2024", "Spina+2024", "Mason+2019"), z_min=0.0),
    ],
)
def test_what_a_probe_simulates_is_recovered(probe):
    report = check_probe(probe())
    report.demand()
    assert {f.check: f.outcome for f in report.findings}["simulate, then fit"] == "passed"
