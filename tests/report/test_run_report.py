"""The report of a run: its table and its figures."""

from __future__ import annotations

from matplotlib import image

from astroemu.report.run_report import write_report
from astroemu.report.tables import text_table


def test_a_report_is_a_table_and_a_figure_for_every_probe(configuration, made_run, tmp_path):
    run = made_run(configuration, tmp_path / "run")
    written = write_report(run, configuration.model())
    names = ["table.txt", "corner.png", "predictive_neutral_fraction.png", "predictive_optical_depth.png"]
    assert [path.name for path in written] == names
    assert written[0].read_text() == text_table(run.summary())
    assert all(image.imread(path)[:, :, :3].std() > 0.02 for path in written[1:])
