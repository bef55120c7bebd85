"""Objects in a notebook: what their tables say, that texts are escaped, and that looking never raises."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers import KnownEmulator, line_model, line_prior, uniform

from astroemu.core.distributions import Fixed, Normal
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.inference.run_folder import RunFolder
from astroemu.report.notebook import _ROWS, samples_html

EVIL = "<script>alert(1)</script> $x$ \x1b[2J"
ALLOWED = {"div", "b", "table", "tr", "th", "td", "span"}


class Page(HTMLParser):
    """The texts of a fragment of HTML. Its tags must be closed, allowed and without attributes."""

    def __init__(self, html):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        assert tag in ALLOWED and not attributes
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def texts(thing):
    html = thing._repr_html_()
    assert len(html) < 20_000
    return Page(html).texts


def test_a_prior_shows_its_parameters():
    prior = Prior((Parameter("a", Normal(0, 2), unit="keV"), Parameter("b", Fixed(0.5))))
    found = texts(prior)
    assert " 1 free parameters" in found and "normal, mean 0, std 2 keV" in found and "fixed, value 0.5" in found


def test_a_long_table_is_cut():
    many = uniform(**{f"p{i}": (0.0, 1.0) for i in range(_ROWS + 5)})
    assert f"p{_ROWS - 1}" in texts(many) and f"p{_ROWS}" not in texts(many) and " and 5 more" in texts(many)


def test_a_model_shows_probes_providers_and_priors():
    found = texts(line_model(name="mine"))
    assert {"Model mine", "a", "StubProbe", "line", "Stub", "y", "slope", "uniform, low -1, high 1"} <= set(found)


def test_samples_show_numbers_with_the_digits_of_their_spread(made_samples, prior):
    samples = replace(made_samples(1), prior=prior, log_evidence=-3.21, log_evidence_err=0.12)
    found = texts(samples)
    assert "b [keV]" in found and " -3.21 +- 0.12" in found
    assert found[found.index("b [keV]") + 2] == f"{samples.std()[1]:.2g}"


def test_texts_are_escaped(made_samples):
    samples = replace(made_samples(1), names=(EVIL, "b"), sampler=EVIL, reason=EVIL)
    html = samples._repr_html_()
    assert "<script" not in html and "\x1b" not in html and "$" not in html
    assert any("<script>alert(1)</script>" in text for text in Page(html).texts)


def test_an_emulator_shows_its_box_and_its_observables():
    found = texts(KnownEmulator())
    assert {"Emulator known", "a", "0 to 1", "line", "x: 3 from 0 to 2", "mK", "one number"} <= set(found)
    assert repr(KnownEmulator()) == "<KnownEmulator 'known': line, level of a, b>"


def test_a_run_shows_its_results_or_its_state(tmp_path, configuration, made_run):
    assert texts(RunFolder(tmp_path / "none")) == ["Run", f" {tmp_path}/none: no run"]
    run = made_run(configuration, tmp_path / "run")
    found = texts(run)
    assert "log10_f_star10" in found and "tau_e (derived)" in found and any("A <small> fit" in text for text in found)
    assert repr(run) == f"<RunFolder '{tmp_path}/run': finished>"
    run.summary_file.write_text("{")
    assert any("cannot be shown: " in text for text in texts(run))


def test_looking_never_raises(made_samples):
    samples = made_samples(1)
    object.__setattr__(samples, "log_weight", None)
    assert "cannot be shown" in samples_html(samples)
    assert "cannot be shown" in KnownEmulator.__new__(KnownEmulator)._repr_html_()


@pytest.mark.parametrize("thing", [line_prior(), line_model()], ids=["prior", "model"])
def test_a_text_of_the_object_is_short(thing):
    assert len(repr(thing)) < 400 and np.isfinite(len(texts(thing)))
