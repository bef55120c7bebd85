"""Exceptions by who can fix the problem, and the parts of their messages."""

from __future__ import annotations

import pytest

from astroemu import errors
from astroemu.errors import (
    AstroemuError,
    ConfigurationError,
    DataError,
    PluginError,
    ProbeError,
    ResolutionError,
    RunFolderError,
    SamplingError,
    Terminated,
    closest,
    listing,
    located,
)


@pytest.mark.parametrize(
    "kind", [ConfigurationError, ResolutionError, PluginError, DataError, RunFolderError, SamplingError]
)
def test_what_a_user_can_fix_is_an_astroemu_error(kind):
    assert issubclass(kind, AstroemuError)


def test_a_bug_of_a_plugin_and_a_signal_are_none_that_a_user_can_fix():
    assert not issubclass(ProbeError, AstroemuError)
    assert issubclass(Terminated, SystemExit) and not issubclass(Terminated, Exception)


def test_what_does_not_fit_together_is_a_fault_of_the_configuration():
    assert issubclass(ResolutionError, ConfigurationError)


@pytest.mark.parametrize("name", ["DoubleCountingWarning", "FarFromTrainingWarning", "DivergenceWarning"])
def test_warnings_are_shown_to_users(name):
    assert issubclass(getattr(errors, name), UserWarning)


def test_an_error_is_located_and_keeps_its_kind():
    with pytest.raises(DataError, match=r"^my\.h5: it is damaged$") as caught, located("my.h5"):
        raise DataError("it is damaged")
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_place_that_is_named_already_is_not_named_again():
    with pytest.raises(DataError) as caught, located("my.h5"), located("my.h5"):
        raise DataError("it is damaged")
    assert str(caught.value) == "my.h5: it is damaged"


def test_other_exceptions_and_success_pass_through():
    with pytest.raises(ZeroDivisionError), located("my.h5"):
        _ = 1 / 0
    with located("my.h5"):
        done = True
    assert done


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("unifrom", ["normal", "uniform"], " Did you mean 'uniform'?"),
        ("alpha_y", ["alpha_x", "beta"], " Did you mean 'alpha_x'?"),
        ("zzz", ["normal", "uniform"], ""),
        ("uniform", [], ""),
    ],
)
def test_the_closest_word_is_suggested_if_one_is_close(word, known, hint):
    assert closest(word, known) == hint


def test_a_list_of_names_is_sorted_and_quoted():
    assert listing(["b", "a"]) == "'a', 'b'"
    assert listing({"only": 1}) == "'only'"
    assert listing([]) == "none"
