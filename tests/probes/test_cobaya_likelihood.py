"""Likelihoods of Cobaya as probes: known values, priors, citation, process state, and refusals."""

from __future__ import annotations

import copy
import logging
import sys
import textwrap

import numpy as np
import pytest
from candl_files import needs_candl, small
from helpers import Stub, uniform
from pages import REPOSITORY, blocks

import astroemu
from astroemu.core.array_namespace import NUMPY
from astroemu.core.distributions import Normal, TruncatedNormal, Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, PluginError, ProbeError, ResolutionError
from astroemu.model.model import Model
from astroemu.testing import check_probe
from astroemu_probes.cobaya_likelihood import Cobaya

pytest.importorskip("cobaya")

#: A likelihood of another package, with all kinds of needs.
STRANGER = """
from cobaya.likelihood import Likelihood

class Stranger(Likelihood):
    datum: float = 1.0
    params = {
        "amplitude": {"prior": {"min": 0.5, "max": 1.5}, "latex": "A"},
        "offset": {"prior": {"dist": "norm", "loc": 0.0, "scale": 0.1}},
        "slope": {"prior": {"dist": "truncnorm", "loc": 1.0, "scale": 0.5, "a": -1.0, "b": 2.0}},
        "fixed": 2.0,
    }
    prior = {"both": "lambda amplitude, offset: -50.0 * (amplitude + offset - 1.0) ** 2"}

    def get_requirements(self):
        wanted = {"z": [0.5]}
        return {"Cl": {"ee": 10}, "H0": None, "rdrag": None, "Hubble": wanted, "angular_diameter_distance": wanted,
                "m_b": None}

    def logp(self, amplitude, offset, slope, fixed, m_b, **rest):
        ee = self.provider.get_Cl(ell_factor=True, units="muK2")["ee"][2:]
        value = amplitude * ee.mean() + offset + slope * fixed - m_b
        value += self.provider.get_param("rdrag") * self.provider.get_Hubble(0.5)[0] / 3e5
        value += self.provider.get_param("H0") / 100.0
        if value > 1e6:
            raise ValueError("far away")
        return -0.5 * (value - self.datum) ** 2

class Wants(Likelihood):
    def get_requirements(self):
        return {"Pk_interpolator": {"z": [0.0], "k_max": 1.0}, "CAMBdata": None}

class Odd(Likelihood):
    params = {"a": {"prior": {"dist": "cauchy", "loc": 0.0}}}
    def logp(self, a, **rest):
        return 0.0

class Broken(Likelihood):
    def initialize(self):
        raise FileNotFoundError("data.txt is not there")
"""
BIBTEX = "@article{a,\n eprint = {2001.00001},\n}\n@article{b,\n eprint = {2001.00002},\n}\n"
#: A point of the likelihood above.
POINT = {"amplitude": 1.1, "offset": 0.05, "slope": 0.9}
GIVEN = {"h": 0.7, "omega_m": 0.3, "r_drag": 147.0, "m_b": 0.2}


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A package with likelihoods, on the path."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "stranger_likes").mkdir()
    (folder / "stranger_likes" / "__init__.py").write_text(textwrap.dedent(STRANGER))
    (folder / "stranger_likes" / "Stranger.bibtex").write_text(BIBTEX)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield "stranger_likes.Stranger"
    sys.modules.pop("stranger_likes", None)


@pytest.fixture(scope="module")
def probe(stranger):
    return Cobaya(stranger)


def log_likelihood(probe, numbers=GIVEN, nuisance=POINT, spectrum=2.0):
    predictions = {
        name: Prediction(np.full((1, r.size), spectrum if r.at else numbers[name]))
        for name, r in probe.requires.items()
    }
    parameters = {p.name: np.array([nuisance[p.name]]) for p in probe.parameters}
    return probe.log_likelihood(predictions, parameters, NUMPY)[0]


def test_a_strangers_likelihood_gets_all_that_it_needs(probe):
    from astroemu_probes.cobaya_theory import expansion_rate

    rate = expansion_rate(np.array([0.5]), 0.7, 0.3)[0]
    value = 1.1 * 2.0 + 0.05 + 0.9 * 2.0 - 0.2 + 147.0 * rate / 3e5 + 0.7
    expected = -0.5 * (value - 1.0) ** 2 - 50.0 * (1.1 + 0.05 - 1.0) ** 2
    assert log_likelihood(probe) == pytest.approx(expected, rel=1e-12)


def test_its_priors_and_labels_become_ours(probe):
    priors = {p.name: p.prior for p in probe.parameters}
    assert priors == {
        "amplitude": Uniform(0.5, 1.5),
        "offset": Normal(0.0, 0.1),
        "slope": TruncatedNormal(1.0, 0.5, 0.5, 2.0),
    }
    assert probe.parameters[0].latex == "A"


def test_its_needs_become_requirements(probe):
    assert {(r.observable, r.unit, r.size) for r in probe.requires.values()} == {
        ("d_ell_ee", "uK^2", 9),
        ("h", "", 1),
        ("omega_m", "", 1),
        ("r_drag", "Mpc", 1),
        ("m_b", "", 1),
    }


def test_its_citation_travels(probe):
    assert probe.papers == ("2001.00001", "2001.00002", "2005.05290")
    assert Cobaya("H0.riess2020", papers=("2001.00003",)).papers == ("2001.00003", "2012.08534", "2005.05290")


def test_its_options_reach_it(stranger, probe):
    options = {"datum": 3.0, "params": {"amplitude": 1.1}}
    changed = Cobaya(stranger, options)
    assert [p.name for p in changed.parameters] == ["offset", "slope"]
    assert log_likelihood(changed) != log_likelihood(probe)
    with pytest.raises(ConfigurationError, match=r"does not recognize some options: 'dattum' \(did you mean 'datum'"):
        Cobaya(stranger, {"dattum": 3.0})


def test_a_change_of_its_code_is_another_likelihood(probe):
    (catalog,) = probe.catalogs
    assert {"Stranger.bibtex", "__init__.py"} == {file.name for file in catalog.files}
    assert len(catalog.sha256) == 64 and catalog.arxiv == ("2001.00001", "2001.00002")


def test_a_copy_is_made_anew(probe):
    assert log_likelihood(copy.copy(probe)) == log_likelihood(probe)


def test_a_joint_fit_takes_numbers_from_providers_and_priors(probe):
    ell = Observable("d_ell_ee", (Axis("ell", np.arange(2.0, 12.0)),), "uK^2")
    numbers = {Observable("h"): lambda t: t[:, 0], Observable("omega_m"): lambda t: 0.3 + 0 * t[:, 0]}
    provider = Stub(
        ("x",),
        {ell: lambda t: np.tile(2.0 * t, 10), **numbers, Observable("r_drag", unit="Mpc"): lambda t: 147 + 0 * t[:, 0]},
    )
    prior = uniform(x=(0.6, 0.8))
    with pytest.raises(ResolutionError, match="'m_b', which nobody provides"):
        Model(prior, {"theory": provider}, {"stranger": probe})
    prior = Prior((*prior.parameters, Parameter("m_b", Uniform(0.0, 1.0))))
    model = Model(prior, {"theory": provider}, {"stranger": probe}, engine="numpy")
    assert model.names == ("x", "m_b", "amplitude", "offset", "slope")
    found = model.log_likelihood(np.array([[0.7, 0.2, 1.1, 0.05, 0.9]]))
    assert found[0] == pytest.approx(log_likelihood(probe, spectrum=1.4), rel=1e-12)
    with pytest.raises(ConfigurationError, match="no gradient goes through 'stranger'"):
        model.demand_gradient()


def test_an_exception_of_a_likelihood_ends_the_run(probe):
    model = Model(
        uniform(h=(0.6, 0.8), omega_m=(0.2, 0.4), m_b=(0.0, 1.0)),
        {
            "theory": Stub(
                (),
                {
                    Observable("d_ell_ee", (Axis("ell", np.arange(2.0, 12.0)),), "uK^2"): lambda t: np.full(
                        (len(t), 10), 1e9
                    ),
                    Observable("r_drag", unit="Mpc"): lambda t: np.full(len(t), 147.0),
                },
            )
        },
        {"stranger": probe},
    )
    with pytest.raises(ProbeError, match="ValueError: far away"):
        model.log_likelihood(np.array([[0.7, 0.3, 0.2, 1.1, 0.05, 0.9]]))


def test_a_likelihood_of_cobaya_itself_has_its_value():
    probe = Cobaya("H0.riess2020")
    assert log_likelihood(probe, {"h": 0.70}) == pytest.approx(-0.5 * ((70.0 - 73.2) / 1.3) ** 2, rel=1e-12)


def test_the_probe_conforms():
    check_probe(Cobaya("H0.riess2020")).demand()


def test_elica_has_the_value_of_its_package(best_fit):
    likelihoods = pytest.importorskip("elica")
    probe = Cobaya("elica")
    assert probe.papers == ("2603.22454", "2005.05290")
    ell, table = best_fit
    curve = np.interp(probe.requires["ee"].at["ell"], ell, table["EE"])
    found = probe.log_likelihood({"ee": Prediction(curve[None])}, {}, NUMPY)[0]
    whole = np.zeros(1001)
    whole[2:] = curve
    assert found == pytest.approx(likelihoods.elica().log_likelihood({"ee": whole}), rel=1e-12)


def test_the_distance_network_takes_distances_from_the_cosmology():
    pytest.importorskip("H0DN_like")
    probe = Cobaya("H0DN_like")
    assert {r.observable for r in probe.requires.values()} == {"h", "omega_m", "Mb"}
    numbers = {"omega_m": 0.31, "Mb": -19.26}
    high, low = (log_likelihood(probe, {**numbers, "h": h}) for h in (0.735, 0.674))
    assert high > low + 5


@needs_candl
def test_candl_through_cobaya_is_candl(tmp_path):
    from astroemu_probes.candl_likelihood import Candl

    folder = small(tmp_path / "small")
    direct = Candl(str(folder), priors="none")
    options = {"data_set_file": str(folder / "data_set.yaml"), "feedback": False}
    bridged = Cobaya("candl.interface.CandlCobayaLikelihood", options)
    values = np.full((1, direct.requires["TT"].size), 950.0)
    theirs = {name: Prediction(np.full((1, r.size), 950.0 if r.at else 1.01)) for name, r in bridged.requires.items()}
    ours = {"TT": Prediction(values), "A_cal": Prediction(np.array([[1.01]]))}
    found = bridged.log_likelihood(theirs, {}, NUMPY)[0]
    assert found == pytest.approx(direct.log_likelihood(ours, {}, NUMPY)[0], rel=1e-6)  # Cobaya's is single precision


def test_the_settings_of_the_process_stay(probe, capsys):
    before = (logging.root.level, list(logging.root.handlers), sys.excepthook)
    Cobaya("H0.riess2020")
    log_likelihood(probe)
    assert (logging.root.level, list(logging.root.handlers), sys.excepthook) == before
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("H0.riess2021", "Cobaya does not find it. Did you mean 'H0.riess2020'"),
        ("planck_2018_lowl.EE", "run `cobaya-install planck_2018_lowl.EE`"),
        ("stranger_likes.Wants", "needs 'Pk_interpolator', which no part of astroemu can give"),
        ("stranger_likes.Odd", "the prior of 'a' is 'cauchy', which has no counterpart"),
        ("stranger_likes.Broken", "cannot be set up: FileNotFoundError: data.txt is not there"),
    ],
)
def test_a_likelihood_that_cannot_be_used_is_refused(stranger, name, message, tmp_path):
    with pytest.raises(ConfigurationError, match=r"likelihood = |the prior") as raised:
        Cobaya(name, packages_path=str(tmp_path))
    assert message in str(raised.value)


def test_a_missing_cobaya_is_named_with_its_command(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "cobaya"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cobaya", None)
    with pytest.raises(PluginError, match=r"pip install 'astroemu-inference\[cobaya\]'"):
        Cobaya("H0.riess2020")


def test_the_file_of_the_page_is_a_joint_fit_in_under_ten_lines(tmp_path):
    pytest.importorskip("elica")
    page = blocks(REPOSITORY / "docs" / "use_with.md")
    text = next(block.text for block in page if block.what == "file act_elica.toml")
    assert len(text.splitlines()) < 10
    (tmp_path / "fit.toml").write_text(text)
    model = astroemu.load_model(tmp_path / "fit.toml", ['engine="numpy"'])
    found = model.log_likelihood_by_probe(model.prior.sample(3, np.random.default_rng(1)))
    assert set(found) == {"act_dr6_lite", "elica"} and np.isfinite(list(found.values())).all()


def test_it_is_used_in_a_configuration(tmp_path):
    (tmp_path / "fit.toml").write_text(
        'probes.sh0es = { plugin = "cobaya", likelihood = "H0.riess2020" }\n'
        'parameters.h = { distribution = "uniform", low = 0.6, high = 0.8 }\n'
    )
    model = astroemu.load_model(tmp_path / "fit.toml")
    assert model.log_likelihood(np.array([[0.732]]))[0] == pytest.approx(0.0, abs=1e-20)
