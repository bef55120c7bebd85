"""``astroemu doctor``, the installation check as a command; and the time that the command line needs to start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from helpers import command

from astroemu.runtime import environment


@pytest.fixture
def quick(monkeypatch):
    """Replace the checks of libraries that take seconds to load."""
    monkeypatch.setattr(environment, "_TENSORFLOW_CODE", "print('2.0, devices CPU:0')")
    monkeypatch.setattr(environment, "_JAX_CODE", "import jax_is_not_here")


def test_a_whole_environment_has_no_problem(quick):
    code, said, _ = command("doctor")
    for words in (
        "Python",
        "Packages",
        "mpi4py",
        "libmultinest",
        "threads",
        "GiB free",
        "optical_depth",
        "2.0, devices",
    ):
        assert words in said
    failed = [line for line in said.splitlines() if line.split()[1:2] == ["failed"]]
    assert code == (3 if failed else 0)
    # A development environment may lack one of the libraries, but no plugin may be broken.
    assert not any("astroemu_" in line for line in failed), failed


def test_help_takes_less_than_half_a_second():
    times = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-m", "astroemu", "--help"], check=True, capture_output=True, timeout=60)
        after = os.times()  # time of the processor, which does not depend on other processes
        times.append(sum(after[2:4]) - sum(before[2:4]))
    assert min(times) < 0.5
