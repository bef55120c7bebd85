"""What ``astroemu list NAME`` prints."""

from __future__ import annotations

import pytest
from helpers import assert_refused, command

from astroemu.errors import PluginError
from astroemu.report.plugin_text import plugin_text


def test_a_name_of_several_kinds_is_described_for_each():
    text = plugin_text("optical_depth")
    for words in (
        "probe optical_depth",
        "  needs tau_e",
        "  options, in [probes.optical_depth]",
        '    errors: "split" or "barlow"; default "split"',
        "derived quantity optical_depth",
        "  takes h, omega_m, omega_b, x_hi",
        "catalog optical_depth",
        "astroemu catalogs show optical_depth",
    ):
        assert words in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("acg", ["kind: neural", "e_0_keV                0.1 to 1.5 keV", "delta21_sq             mK^2  z 5.90059 to"]),
        ("emcee", ["in [samplers.emcee]", "walkers: integer; default 64"]),
        ("neural", ["those of [training] in a recipe"]),
        ("reionization", ["fit: astroemu explain reionization"]),
        ("train_acg", ["recipe of an emulator: astroemu train train_acg"]),
        ("cobaya", ["likelihood: text; required"]),
    ],
)
def test_each_kind_says_what_it_is(name, words):
    text = plugin_text(name)
    assert all(word in text for word in words), text


def test_the_command_describes_one_and_lists_all():
    code, one, _ = command("list", "emcee")
    assert code == 0 and one == plugin_text("emcee") + "\n"
    code, every, _ = command("list")
    assert code == 0 and "samplers\n  emcee" in every and "walkers" not in every


def test_an_unknown_name_is_an_error_with_the_nearest_one():
    with pytest.raises(PluginError, match="Did you mean 'emcee'"):
        plugin_text("emce")
    assert_refused("list", "emce", words=["emce", "astroemu list"])
