"""Plugins in a file that a configuration names."""

from __future__ import annotations

import copy
import hashlib
import sys

import pytest

from astroemu.errors import ConfigurationError, PluginError
from astroemu.runtime.plugin_files import plugin_class, split_reference
from astroemu.runtime.plugin_identity import dotted, identity_of
from astroemu.runtime.plugins import DERIVED, PROBES

PROBE = """
from __future__ import annotations

from dataclasses import dataclass

from astroemu import Parameter, Probe
from astroemu.core.distributions import Uniform


@dataclass
class Numbers:
    datum: float = {datum}


class MyProbe(Probe):
    '''A datum of a number.'''

    parameters = (Parameter("x", Uniform(0.0, 1.0)),)

    @property
    def requires(self):
        return {{}}

    def log_likelihood(self, predictions, parameters, xp):
        return -0.5 * ((parameters["x"] - Numbers().datum) / 0.1) ** 2
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my_probe.py").write_text(PROBE.format(datum=0.5))
    return tmp_path


def loaded(folder, reference="my_probe.py:MyProbe", *, group=PROBES, may_execute=True):
    return plugin_class(group, reference, folder, may_execute=may_execute)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("my_probe.py:MyProbe", ("my_probe.py", "MyProbe")),
        ("../code/a.b.py:C", ("../code/a.b.py", "C")),
        ("my_probe.py", ("my_probe.py", "")),
        ("optical_depth", None),
        ("my_probe:MyProbe", None),
    ],
)
def test_a_reference_is_a_file_and_a_class_or_an_installed_name(reference, parts):
    assert split_reference(reference) == parts


def test_an_installed_name_needs_no_file(tmp_path):
    assert loaded(tmp_path, "optical_depth", may_execute=False).__name__ == "OpticalDepth"


def test_a_class_comes_from_the_file_beside_the_configuration(folder):
    cls = loaded(folder)
    assert cls.__name__ == "MyProbe" and loaded(folder) is cls and copy.deepcopy(cls()).__class__ is cls


def test_its_identity_is_the_name_and_the_content_of_the_file(folder, tmp_path_factory):
    cls = loaded(folder)
    digest = hashlib.sha256((folder / "my_probe.py").read_bytes()).hexdigest()
    assert dotted(cls) == "my_probe.py:MyProbe"
    found = identity_of([cls])
    assert found.source["my_probe.py"] == digest and found.plugins["my_probe.py:MyProbe"] == "no distribution"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "my_probe.py").write_bytes((folder / "my_probe.py").read_bytes())
    assert identity_of([loaded(elsewhere)]) == found


def test_a_changed_file_is_another_module_and_both_can_be_used(folder):
    first = loaded(folder)
    (folder / "my_probe.py").write_text(PROBE.format(datum=0.7))
    second = loaded(folder)
    sources = [identity_of([cls]).source["my_probe.py"] for cls in (first, second)]
    assert first is not second and sources[0] != sources[1]
    assert first().log_likelihood({}, {"x": 0.5}, None) == 0.0
    assert second().log_likelihood({}, {"x": 0.5}, None) < -1.0


@pytest.mark.attack("plugins", "code in a run folder that nobody asked to execute")
def test_a_file_is_not_executed_without_consent(tmp_path):
    marker = tmp_path / "executed"
    (tmp_path / "strange.py").write_text(PROBE.format(datum=0.1) + f"\nopen({str(marker)!r}, 'w').close()\n")
    with pytest.raises(ConfigurationError, match=r"which would be executed now.*add --run-plugin-files"):
        loaded(tmp_path, "strange.py:MyProbe", may_execute=False)
    assert not marker.exists()
    loaded(tmp_path, "strange.py:MyProbe")
    assert marker.exists()
    assert loaded(tmp_path, "strange.py:MyProbe", may_execute=False).__name__ == "MyProbe"  # it has been executed


@pytest.mark.parametrize(
    ("code", "reference", "message"),
    [
        (None, "other.py:MyProbe", "there is no file .*other.py. A relative path counts from the folder of the conf"),
        ("1 / 0", "bad.py:A", r"bad.py cannot be used: ZeroDivisionError: division by zero \(line 1\)"),
        ("def f(:", "bad.py:A", r"bad.py cannot be used: SyntaxError: .*line 1"),
        ("raise SystemExit(3)", "bad.py:A", r"bad.py cannot be used: SystemExit: 3 \(line 1\)"),
        ("import no_such_module_beside", "bad.py:A", "ModuleNotFoundError.*The file stands alone"),
        (PROBE.format(datum=0), "bad.py:MyProb", "has no 'MyProb'. Did you mean 'MyProbe'. It has 'MyProbe'"),
        (PROBE.format(datum=0), "bad.py", "states no class; write \"bad.py:MyProbe\". The file has 'MyProbe'"),
        (PROBE.format(datum=0), "bad.py:Numbers", "'Numbers' is <class .*not a subclass of astroemu.Probe"),
        ("A = 3", "bad.py:A", "'A' is 3, not a subclass of astroemu.Probe. bad.py has none"),
    ],
)
def test_a_file_that_has_no_such_plugin_is_refused(tmp_path, code, reference, message):
    if code is not None:
        (tmp_path / "bad.py").write_text(code)
    with pytest.raises(PluginError, match=message):
        loaded(tmp_path, reference)


def test_a_file_that_fails_leaves_no_module(tmp_path):
    (tmp_path / "broken_file.py").write_text("1 / 0")
    with pytest.raises(PluginError):
        loaded(tmp_path, "broken_file.py:A")
    assert not [name for name in sys.modules if "broken_file" in name]


def test_a_probe_is_no_derived_quantity(folder):
    with pytest.raises(PluginError, match=r"not a subclass of astroemu\.Provider"):
        loaded(folder, group=DERIVED)
