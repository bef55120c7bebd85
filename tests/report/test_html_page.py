"""The page of a run: whole, self-contained, and the same in a real browser."""

from __future__ import annotations

import base64
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers import command
from matplotlib import image

from astroemu.errors import ConfigurationError, DataError
from astroemu.inference.run_folder import RunFolder
from astroemu.report import write_page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FIT = """
title = "A <small> fit & its page"
[simulators.park19]
[probes.neutral_fraction]
[probes.optical_depth]
[parameters]
log10_f_star10 = { distribution = "uniform", low = -3.0, high = 0.0, latex = '\\log_{10} f_*' }
log10_f_esc10 = { distribution = "uniform", low = -2.0, high = 0.0, latex = '\\notlatex{' }
alpha_star = { distribution = "fixed", value = 0.5 }
alpha_esc = { distribution = "fixed", value = -0.3 }
log10_m_turn = { distribution = "fixed", value = 8.7 }
t_star = { distribution = "fixed", value = 0.5 }
clumping = { distribution = "fixed", value = 3.0 }
h = { distribution = "fixed", value = 0.6774 }
omega_m = { distribution = "fixed", value = 0.3075 }
omega_b = { distribution = "fixed", value = 0.0486 }
sigma_8 = { distribution = "fixed", value = 0.811 }
n_s = { distribution = "fixed", value = 0.97 }
[samplers.ultranest]
live_points = 50
[samplers.emcee]
walkers = 8
max_steps = 100
"""


class Page(HTMLParser):
    """What a page refers to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.images, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "data", "action"):
                (self.images if tag == "img" else self.links).append(value)


def fitted(folder, name, *options):
    (folder / "fit.toml").write_text(FIT)
    out = folder / name
    code, _, error = command("fit", str(folder / "fit.toml"), "--out", str(out), "--no-report", *options)
    assert code == 0, error
    return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    nested = ("--sampler", "ultranest")
    return (
        fitted(folder, "nested", *nested),
        fitted(folder, "other", *nested, "--without", "neutral_fraction"),
        fitted(folder, "chain", "--seed", "3"),
    )


@pytest.fixture(scope="module")
def single(runs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("astroemu.report.html_page.write_report", pictures)
        code, said, _ = command("report", str(runs[2]), "--html")
    assert code == 0 and "report.html" in said
    return runs[2] / "report.html"


def pictures(run, model):
    """Two small pictures in the place of those of a report, which has tests of its own."""
    for name in ("corner", *(f"predictive_{probe}" for probe in model.probes)):
        image.imsave(run.path / f"{name}.png", np.zeros((4, 4)))


def test_it_refers_to_nothing_outside(single):
    text = single.read_text()
    page = Page(text)
    assert all(link.startswith("#") for link in page.links)
    assert all(source.startswith("data:image/") for source in page.images)
    assert "script" not in page.tags and "link" not in page.tags
    assert not re.search(r"@import|url\(", text)


def test_it_says_what_made_the_run_and_the_page(single):
    text = single.read_text()
    for fact in ("<dt>platform</dt>", "<dt>threads</dt>", "<dt>astroemu-inference</dt>", "<dt>date</dt>"):
        assert text.count(fact) == 2  # of the run, of the page
    assert text.count("<dt>engine</dt>") == 1


def test_every_picture_is_one(single):
    found = [source for source in Page(single.read_text()).images if source.startswith("data:image/png")]
    assert len(found) == 5  # corner, two probes, observables, trace
    for source in found:
        array = image.imread(io.BytesIO(base64.b64decode(source.partition(",")[2])))
        assert array.ndim == 3


def test_it_holds_what_a_reader_asks_for(single):
    text = single.read_text()
    for words in ("Result", "Convergence", "NOT converged", "McGreer2015", "SHA-256", "log10_f_star10", "tau_e"):
        assert words in text
    assert "A &lt;small&gt; fit &amp; its page" in text
    assert "seed: None -&gt; 3" in text
    assert text.count("<section") == text.count("</section>") == 6


def test_a_symbol_that_cannot_be_set_is_left_out(single):
    assert len([s for s in Page(single.read_text()).images if s.startswith("data:image/svg")]) == 1


def test_it_is_not_overwritten(runs, single):
    with pytest.raises(DataError, match="not overwritten"):
        write_page([RunFolder.open(runs[2])], single)


def test_several_runs_are_compared(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("astroemu.report.html_page.write_report", pictures)
    out = tmp_path / "all.html"
    code, _, _ = command("report", *map(str, runs), "--out", str(out))
    text = out.read_text()
    assert code == 0 and "Posteriors together" in text and "Evidences" in text and "3 runs" in text
    assert text.count('<a href="#') == 6  # three comparisons, three runs


def test_one_run_twice_is_refused(runs):
    with pytest.raises(ConfigurationError, match="each once"):
        write_page([RunFolder.open(runs[0])] * 2, "never.html")


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium here")
def test_a_browser_shows_it(single, tmp_path):
    """A screenshot, offline: the heading's band, text, and pictures that are not broken."""
    picture = tmp_path / "page.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,3000"]
    offline = "--host-resolver-rules=MAP * ~NOTFOUND"
    where = [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", single.as_uri()]
    subprocess.run([BROWSER, *options, offline, *where], check=True, capture_output=True, timeout=120)
    shown = image.imread(picture)[:, :, :3]
    assert shown.shape[:2] == (3000, 1200)
    np.testing.assert_allclose(shown[10, 10], np.array([0x1F, 0x5A, 0x8A]) / 255, atol=0.02)
    assert shown[200:].std() > 0.05


def test_a_validation_has_a_page_too(tmp_path):
    from conftest import REPOSITORY

    shutil.copy(REPOSITORY / "docs/measured/acg_against_21cmfast.json", tmp_path / "validation.json")
    image.imsave(tmp_path / "errors.png", np.zeros((4, 4)))
    code, said, _ = command("report", str(tmp_path), "--html")
    text = (tmp_path / "report.html").read_text()
    assert code == 0 and "report.html" in said
    assert "Validation against 50 simulations" in text and "power_spectrum_21cm" in text
    assert len(Page(text).images) == 1
    (tmp_path / "validation.json").write_text("{}")
    code, _, error = command("report", str(tmp_path), "--out", str(tmp_path / "again.html"))
    assert code == 2 and "no whole validation" in error
