"""Where data sets of candl are found, and how their files are refused."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
from candl_files import needs_candl, small

from astroemu.core.array_namespace import NUMPY
from astroemu.errors import ConfigurationError, DataError, PluginError
from astroemu_probes.candl_data_sets import GaussianPrior, load, yaml_file


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library with one data set."""
    module = ModuleType("some_candl_data")
    module.ACT_DR6 = str(small(tmp_path / "act") / "data_set.yaml")
    monkeypatch.setitem(sys.modules, "some_candl_data", module)
    return module


def test_a_name_is_looked_up_in_the_library(library):
    assert str(yaml_file("ACT_DR6", "some_candl_data", "")) == library.ACT_DR6


def test_an_unknown_name_is_refused_with_the_nearest(library):
    with pytest.raises(ConfigurationError, match="Did you mean 'ACT_DR6'"):
        yaml_file("ACT_DR5", "some_candl_data", "")


def test_a_missing_library_is_refused_with_its_address(monkeypatch):
    monkeypatch.setitem(sys.modules, "candl_data", None)
    with pytest.raises(PluginError, match=r"not installed: git clone https://github.com/Lbalkenhol/candl_data"):
        yaml_file("ACT_DR6", "candl_data", "")


def test_a_file_instead_of_its_folder_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="Give its folder"):
        yaml_file(str(small(tmp_path / "act") / "data_set.yaml"), "candl_data", "")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="there is no folder"):
        yaml_file(str(tmp_path / "nothing"), "candl_data", "")


def test_one_of_several_files_is_chosen(tmp_path):
    folder = small(tmp_path / "act")
    (folder / "other.yaml").write_text((folder / "data_set.yaml").read_text())
    (folder / "frequencies.yaml").write_text("CIB: 150\n")
    with pytest.raises(ConfigurationError, match=r"'data_set.yaml', 'other.yaml'; choose one with `file`"):
        yaml_file(str(folder), "candl_data", "")
    assert yaml_file(str(folder), "candl_data", "other.yaml").name == "other.yaml"
    with pytest.raises(ConfigurationError, match=r"Did you mean 'other\.yaml'"):
        yaml_file(str(folder), "candl_data", "othr.yaml")


@needs_candl
def test_an_index_file_has_variants(tmp_path):
    folder = small(tmp_path / "act")
    (folder / "act_index.yaml").write_text("default: data_set.yaml\nlite: data_set.yaml\n")
    path = yaml_file(str(folder), "candl_data", "")
    assert path.name == "act_index.yaml"
    assert load(path, "lite", ())[2] == folder / "data_set.yaml"
    with pytest.raises(ConfigurationError, match=r"variant = 'light' is not in act_index.yaml. Did you mean 'lite'"):
        load(path, "light", ())
    with pytest.raises(ConfigurationError, match="has no variants"):
        load(folder / "data_set.yaml", "lite", ())


@needs_candl
@pytest.mark.parametrize("text", ["- 1\n- 2\n", "name: [1, 2\n", "default: 1\n"])
def test_what_is_no_data_set_is_refused(tmp_path, text):
    (tmp_path / "x_index.yaml").write_text(text)
    with pytest.raises(DataError, match=r"x_index.yaml|cannot read"):
        load(tmp_path / "x_index.yaml", "", ())


@needs_candl
def test_a_prior_of_the_wrong_size_is_refused(tmp_path):
    wrong = [{"par_names": ["A_cal", "b"], "central_value": 1.0, "prior_covariance": 0.1}]
    with pytest.raises(DataError, match="the prior of 'A_cal', 'b' has 1 mean"):
        load(small(tmp_path / "act", priors=wrong) / "data_set.yaml", "", ())


def test_a_joint_prior_is_a_gaussian():
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    prior = GaussianPrior(("a", "b"), np.array([1.0, 2.0]), covariance)
    shift = np.array([0.3, -0.2])
    found = prior.log_density({"a": np.array([1.3]), "b": np.array([1.8])}, NUMPY)
    assert found[0] == pytest.approx(-0.5 * shift @ np.linalg.solve(covariance, shift), rel=1e-12)
    assert prior.range_of("b", 2.0) == pytest.approx((1.4, 2.6))


def test_a_multiplicative_prior_is_a_gaussian_of_the_logarithm():
    prior = GaussianPrior(("a",), np.array([0.0]), np.array([[0.04]]), logarithmic=True)
    assert prior.log_density({"a": np.array([np.exp(0.2)])}, NUMPY)[0] == pytest.approx(-0.5, rel=1e-12)
    assert prior.range_of("a", 1.0) == pytest.approx((np.exp(-0.2), np.exp(0.2)))
