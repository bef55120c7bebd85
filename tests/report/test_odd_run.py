"""Reports of run folders whose summaries are legitimate but odd."""

from __future__ import annotations

import json

import pytest
from helpers import command


@pytest.fixture(scope="module")
def run(configuration, made_run, tmp_path_factory):
    """A finished run without its pictures, which have their own tests."""
    return made_run(configuration, tmp_path_factory.mktemp("odd") / "run")


@pytest.fixture
def quick(monkeypatch):
    for name in ("corner", "predictive"):
        monkeypatch.setattr(f"astroemu.report.run_report.draw_{name}", lambda *_: False)
    for name in ("trace", "observables"):
        monkeypatch.setattr(f"astroemu.report.html_page.draw_{name}", lambda *_: False)


NAN = {"float": "nan"}


@pytest.mark.attack("report", "a summary with null, NaN, markup, 1e300 or an empty provenance block")
@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["parameters"]["log10_f_star10"].update(std=None, mean=None, hpd68_low=None),
        lambda s: s["parameters"]["log10_f_star10"].update(mean=NAN, q16=NAN, std={"float": "inf"}),
        lambda s: s.update(derived={"<b>\x1b[2J": s["parameters"]["log10_f_star10"]}, ess=1e300),
        lambda s: s.update(provenance={}, inputs={"<b>": "<i>"}, log_evidence=-3.0, log_evidence_err=None),
    ],
)
def test_an_odd_summary_is_reported(run, quick, change, tmp_path, request):
    whole = run.summary_file.read_text()
    request.addfinalizer(lambda: run.summary_file.write_text(whole))
    summary = json.loads(whole)
    change(summary)
    run.summary_file.write_text(json.dumps(summary))
    code, said, error = command("report", str(run.path))
    assert code == 0 and "\x1b" not in said and "not written" not in error
    code, _, error = command("report", str(run.path), "--out", str(tmp_path / "page.html"))
    assert code == 0, error
    text = (tmp_path / "page.html").read_text()
    assert "<b>" not in text and "<i>" not in text and "nan" not in text.split("Provenance")[0].replace("quantity", "")


@pytest.mark.parametrize("change", [lambda s: s.update(remarks=5), lambda s: s.update(fixed=[1])])
def test_a_damaged_summary_is_refused(run, quick, change, request):
    whole = run.summary_file.read_text()
    request.addfinalizer(lambda: run.summary_file.write_text(whole))
    summary = json.loads(whole)
    change(summary)
    run.summary_file.write_text(json.dumps(summary))
    code, _, error = command("report", str(run.path))
    assert code == 2 and "summary.json is damaged" in error
