"""The conformance kit: checks that every plugin, built-in or not, must pass.

Each function examines one plugin and returns a :class:`Report`. Its method ``demand()`` raises with all failed checks,
so that a test of a plugin needs one line:

>>> from astroemu.testing import check_probe
>>> def test_it_conforms():
...     check_probe(MyProbe()).demand()  # doctest: +SKIP

``astroemu check NAME`` examines an installed plugin and prints the table.
"""

from __future__ import annotations

from astroemu.testing.catalog import check_catalog
from astroemu.testing.derived import check_derived
from astroemu.testing.emulator import check_emulator, check_kind_of_emulator
from astroemu.testing.findings import Finding, NonConformance, Report, Skipped, ensure
from astroemu.testing.installed import check_installed
from astroemu.testing.probe import check_probe
from astroemu.testing.sampler import check_sampler
from astroemu.testing.simulator import check_simulator

__all__ = [
    "Finding",
    "NonConformance",
    "Report",
    "Skipped",
    "check_catalog",
    "check_derived",
    "check_emulator",
    "check_installed",
    "check_kind_of_emulator",
    "check_probe",
    "check_sampler",
    "check_simulator",
    "ensure",
]
