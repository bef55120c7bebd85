"""The page of a run is complete and self-contained, and a browser shows it."""

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

from astroemu.errors import ConfigurationError, DataError, ReportWarning
from astroemu.inference.run_folder import RunFolder
from astroemu.report import write_page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """The links, images and tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.images, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "data", "action"):
                (self.images if tag == "img" else self.links).append(value)


@pytest.fixture(scope="module")
def runs(configuration, made_run, tmp_path_factory):
    """Two runs with an evidence, and a chain of the command, which set its seed."""
    folder = tmp_path_factory.mktemp("page")
    made_run(configuration, folder / "nested")
    made_run(configuration.without(["neutral_fraction"]), folder / "other", seed=2)
    chain = ("--out", str(folder / "chain"), "--no-report", "--seed", "3")
    code, _, error = command("fit", str(configuration.path), *chain)
    assert code == 0, error
    return folder / "nested", folder / "other", folder / "chain"


@pytest.fixture(scope="module")
def single(runs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("astroemu.report.html_page.write_report", pictures)
        code, said, _ = command("report", str(runs[2]), "--html")
    assert code == 0 and "report.html" in said
    return runs[2] / "report.html"


def pictures(run, model):
    """Write small images instead of the figures of a report, which has its own tests."""
    names = ("corner", *(f"predictive_{probe}" for probe in model.probes))
    written = [run.path / f"{name}.png" for name in names]
    for path in written:
        image.imsave(path, np.zeros((4, 4)))
    return written


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
    for words in ("Result", "Convergence", "NOT converged", "Davies2026", "SHA-256", "log10_f_star10", "tau_e"):
        assert words in text
    assert "A &lt;small&gt; fit &amp; its page" in text
    assert "seed: None -&gt; 3" in text
    assert text.count("<section") == text.count("</section>") == 6


def test_a_symbol_that_cannot_be_set_is_left_out(single):
    assert len([s for s in Page(single.read_text()).images if s.startswith("data:image/svg")]) == 1


def test_it_is_not_overwritten(runs, single):
    with pytest.raises(DataError, match="not overwritten"):
        write_page([RunFolder.open(runs[2])], single)


@pytest.mark.slow
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


@pytest.mark.case(34)
def test_all_columns_are_there_and_only_numbers_keep_their_line(single):
    text = single.read_text()
    head = re.search(r"<thead><tr>(.*?)</tr>", text).group(1)
    heads = ["", "mean", "std", "median", "68 % interval", "shortest 68 %", "95 % interval"]
    assert re.findall(r"<th>(.*?)</th>", head) == heads
    body = re.search(r"<tbody>(.*?)</tbody>", text).group(1)
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")[:-1]]
    assert all(len(row) == 7 for row in rows)
    for row in rows:  # one number of places in a row, trailing zeros included
        places = {len(number.partition(".")[2]) for cell in row[1:] for number in cell.split(" to ")}
        assert len(places) == 1
    # The name may take several lines, so that 7 columns of numbers fit a window of 1,200 pixels.
    assert "th, td:first-child { white-space: normal; overflow-wrap: anywhere; }" in text
    longest = max(sum(len(cell) for cell in row[1:]) for row in rows)
    assert 8.5 * longest + 7 * 20 < 1200 - 2 * 24 - 2 * 24 - 150


@pytest.mark.attack("report", "markup and terminal codes in title, checksums, reasons and remarks of a summary")
def test_markup_of_a_stranger_is_shown_as_text(runs, tmp_path, monkeypatch):
    bad = "<script>alert(1)</script>\x1b[2J\u202e"
    whole = RunFolder.summary

    def changed(run):
        found = whole(run)
        table = {"title": bad, "converged_reason": bad, "sampler": bad, "remarks": [bad], "inputs": {bad: bad}}
        found["provenance"] = {**found["provenance"], "engine": bad, "versions": {bad: bad}}
        return {**found, **table, "derived": {bad: next(iter(found["parameters"].values()))}}

    monkeypatch.setattr(RunFolder, "summary", changed)
    for name in ("write_report", "bibtex"):
        monkeypatch.setattr(f"astroemu.report.html_page.{name}", lambda *_, name=name: bad if name == "bibtex" else [])
    for name in ("draw_trace", "draw_observables"):
        monkeypatch.setattr(f"astroemu.report.html_page.{name}", lambda *_: False)
    text = write_page([RunFolder.open(runs[0])], tmp_path / "page.html").read_text()
    assert "<script" not in text and "\x1b" not in text and "\u202e" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[2J\\u202e") >= 8


def test_a_picture_that_fails_is_named_on_the_page(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("astroemu.report.html_page.write_report", pictures)
    monkeypatch.setattr("astroemu.report.html_page.draw_observables", lambda *_: False)

    def fail(*_):
        raise ValueError("no room")

    monkeypatch.setattr("astroemu.report.html_page.draw_trace", fail)
    (runs[0] / "trace.png").unlink(missing_ok=True)
    with pytest.warns(ReportWarning, match="trace.png was not written: ValueError: no room"):
        page = write_page([RunFolder.open(runs[0])], tmp_path / "page.html")
    text = page.read_text()
    assert "trace.png was not written: ValueError: no room" in text and 'alt="Trace"' not in text
    assert "Convergence" in text and "Provenance" in text


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium here")
def test_a_browser_shows_it(single, tmp_path):
    """A screenshot without network shows the heading, text and images."""
    picture = tmp_path / "page.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,3000"]
    offline = "--host-resolver-rules=MAP * ~NOTFOUND"
    where = [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", single.as_uri()]
    subprocess.run([BROWSER, *options, offline, *where], check=True, capture_output=True, timeout=120)
    shown = image.imread(picture)[:, :, :3]
    assert shown.shape[:2] == (3000, 1200)
    np.testing.assert_allclose(shown[10, 10], np.array([0x1F, 0x5A, 0x8A]) / 255, atol=0.02)
    assert shown[200:].std() > 0.05
