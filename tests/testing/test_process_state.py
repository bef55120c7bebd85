"""The state of the process: every change is named and set back."""

from __future__ import annotations

import os
import random
import signal
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest

from astroemu.testing.findings import NonConformance
from astroemu.testing.process_state import unchanged

CHANGES = {
    "np.seterr (over)": lambda: np.seterr(over="raise"),
    "np.random's global generator": lambda: np.random.seed(3),
    "random's global generator": lambda: random.seed(3),
    "np.set_printoptions (precision)": lambda: np.set_printoptions(precision=3),
    "the working folder from": lambda: os.chdir("/"),
    "os.environ (OF_A_PLUGIN)": lambda: os.environ.update(OF_A_PLUGIN="a secret"),
    "warnings.filters": lambda: warnings.simplefilter("ignore"),
    "sys.path": lambda: sys.path.insert(0, "/nowhere"),
    "sys.excepthook": lambda: setattr(sys, "excepthook", print),
    "signal handlers": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "Matplotlib's rcParams (font.size)": lambda: mpl.rcParams.update({"font.size": 33.0}),
}


@pytest.mark.attack("the conformance kit", "a plugin that changes global state of the user's process")
@pytest.mark.parametrize("words", CHANGES)
def test_a_change_is_named_and_set_back(words):
    # The outer one finds what the inner one leaves.
    with unchanged("nothing"), pytest.raises(NonConformance) as raised, unchanged("`panels`"):
        CHANGES[words]()
    assert f"`panels` changes {words}" in str(raised.value) and "secret" not in str(raised.value)


def test_several_changes_are_all_named():
    with pytest.raises(NonConformance, match=r"np.seterr \(over\); the working folder"), unchanged("it"):
        np.seterr(over="raise")
        os.chdir("/")


def test_printing_is_named(capsys):
    with pytest.raises(NonConformance, match=r"it prints 'hello'. Use the module `logging`"), unchanged("it"):
        print("hello\nworld")
    assert not capsys.readouterr().out


def test_an_exception_is_passed_on():
    with pytest.raises(ZeroDivisionError), unchanged("it"):
        raise ZeroDivisionError
