"""The report of a run: its table and its figures."""

from __future__ import annotations

import pytest
from helpers import command
from matplotlib import image

from astroemu.errors import ReportWarning
from astroemu.report.run_report import write_report
from astroemu.report.tables import text_table


def test_a_report_is_a_table_and_a_figure_for_every_probe(configuration, made_run, tmp_path):
    run = made_run(configuration, tmp_path / "run")
    written = write_report(run, configuration.model())
    names = ["table.txt", "corner.png", "predictive_neutral_fraction.png", "predictive_optical_depth.png"]
    assert [path.name for path in written] == names
    assert written[0].read_text() == text_table(run.summary())
    assert all(image.imread(path)[:, :, :3].std() > 0.02 for path in written[1:])


@pytest.fixture
def run(configuration, made_run, tmp_path, monkeypatch):
    """A finished run whose pictures are not drawn, but written as small files."""
    monkeypatch.setattr("astroemu.report.run_report.draw_corner", lambda *arguments: arguments[-1].write_bytes(b"x"))
    monkeypatch.setattr("astroemu.report.run_report.draw_predictive", lambda *arguments: False)
    return made_run(configuration, tmp_path / "run")


@pytest.mark.case(18)
def test_a_picture_that_fails_does_not_cost_the_report(run, configuration, monkeypatch):
    def fail(*_):
        raise RuntimeError("no LaTeX here")

    monkeypatch.setattr("astroemu.report.run_report.draw_corner", fail)
    with pytest.warns(ReportWarning, match=r"corner.png was not written: RuntimeError: no LaTeX here"):
        written = write_report(run, configuration.model())
    assert [path.name for path in written] == ["table.txt"]
    code, said, error = command("report", str(run.path))
    assert code == 0 and "table.txt" in said and "corner.png" not in said
    assert error.count("warning: ") == 1 and "corner.png was not written: RuntimeError: no LaTeX here" in error


@pytest.mark.attack("report", "table.txt of a run folder is a link to a file of the user")
def test_a_table_replaces_a_link_and_not_what_it_points_to(run, configuration, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (run.path / "table.txt").symlink_to(tmp_path / "mine")
    write_report(run, configuration.model())
    assert (tmp_path / "mine").read_text() == "mine" and not (run.path / "table.txt").is_symlink()


@pytest.mark.case(19)
def test_the_table_is_utf_8_whatever_the_locale(run, configuration, monkeypatch):
    monkeypatch.setattr("locale.getpreferredencoding", lambda *_: "ascii")
    monkeypatch.setattr(run, "summary", lambda: {**type(run).summary(run), "title": "réionisation β"})
    write_report(run, configuration.model())
    assert (run.path / "table.txt").read_bytes().startswith("réionisation β\n".encode())
