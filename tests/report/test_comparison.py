"""Figures of several runs together."""

from __future__ import annotations

from matplotlib import image

from astroemu.report.comparison import colours, draw_corners, draw_evidence


def test_common_parameters_are_drawn(prior, made_samples, tmp_path):
    runs = {"one": made_samples(1), "two": made_samples(2)}
    assert draw_corners(runs, dict.fromkeys(runs, prior), tmp_path / "corners.png")
    draw_evidence({"one": (-10.0, 0.2), "two": (-12.0, 0.3)}, tmp_path / "evidence.png")
    for name in ("corners", "evidence"):
        assert image.imread(tmp_path / f"{name}.png")[:, :, :3].std() > 0.02


def test_runs_without_a_common_parameter_have_no_corner(prior, made_samples, tmp_path):
    other = made_samples(2)
    object.__setattr__(other, "names", ("c", "d"))
    runs = {"one": made_samples(1), "two": other}
    assert draw_corners(runs, dict.fromkeys(runs, prior), tmp_path / "corners.png") is False
    assert not (tmp_path / "corners.png").exists()


def test_colours_repeat():
    assert len(set(colours(7))) == 7 and colours(8)[7] == colours(1)[0]
