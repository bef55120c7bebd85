"""The verdict on a calibration, from ranks that are made up. That of real fits is tested in test_sbc.py."""

from __future__ import annotations

import numpy as np

from astroemu.report.tables import calibration_table
from astroemu.validation.verdict import verdict


def test_too_few_fits_can_fail_but_not_pass():
    def made(ranks):
        return verdict([made_up_fit(rank) for rank in ranks], 199)

    def made_up_fit(rank):
        names = ("tau_e", "log_likelihood", "log_posterior")
        cost = dict.fromkeys(("n_likelihood", "wall_seconds", "cpu_seconds"), 1.0)
        return {"theta": {"tau_e": 0.06}, "rank": dict.fromkeys(names, rank), "unlikely": [], "converged": True,
                "ess": 500.0, **cost}  # fmt: skip

    even = np.linspace(2, 197, 49).astype(int)
    assert made(even)["passed"] is None and "too few fits to tell" in calibration_table(made(even))
    assert made([*even, 100])["passed"] is True
    assert made([0] * 12)["passed"] is False and "NOT uniform" in calibration_table(made([0] * 12))
