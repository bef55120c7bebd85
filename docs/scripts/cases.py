"""Print what happens to inputs that once gave wrong numbers, and to inputs made to break astroemu.

    python docs/scripts/cases.py                 # the table of inputs of users: what is right, what happens now
    python docs/scripts/cases.py --attacks       # the table of attacks, by area
    python docs/scripts/cases.py --fast          # without the tests that take minutes

Each row is one or more tests with the mark ``case`` or ``attack``, which this script runs. Their memory is bounded. The
exit code is 1 if a row is not right, or if a case has no test.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections import defaultdict
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
#: Largest address space of the tests, in bytes.
_MEMORY = 20 << 30
#: By number: the input, and what is right.
CASES = {
    1: ("`k_max`, `z_max`, `high` = inf in a run that is opened again", "opens; inf survives every file"),
    2: ("one blank `phi` in a catalog", "refused with file, row and column"),
    3: ("a blank error of a bare limit; a blank `z`, `M_UV`, `reference`", "NaN where allowed, else refused"),
    4: ("`phi` as an integer column in units of 1e-6", "as with floats"),
    5: ("a mask `valid` stored as uint8", "as with booleans"),
    6: ("`k` in h/Mpc or `delta2` in K^2, stated in an attribute", "converted, or refused"),
    7: ('`kind = "upper limit"`', "refused, with the known kinds"),
    8: ("an error of zero or NaN; `cl = 68`", "refused with file, row and column"),
    9: ("values below 1e-45, 1e39 erg/s, 2459000.5 + 0.01 x in an import", "kept, or refused with the column"),
    10: ("numbers in quotes; a header without rows", "read; refused"),
    11: ("comments, byte order mark, semicolons, an index column", "read where safe, else one sentence"),
    12: ('an observable called "P/k"', "refused, or read back"),
    13: ("nautilus on a Gaussian that is cut at 1 sigma", "the error holds the truth, or not converged"),
    14: ("nautilus on a plateau", "ends, or says why it cannot"),
    15: ('units with "h": h/Mpc, Msun/h', "the little h, never the hour"),
    16: ('units "cMpc", "none" in exports', "written as labels"),
    17: ("Omega_b h^2, theta_mc, 5e40 in tables and pictures", "digits follow the standard deviation"),
    18: ("LaTeX asked for and missing; a backend that is missing", "drawn"),
    19: ("a POSIX locale, a title with an accent", "UTF-8 in every file"),
    20: ("an observable that is NaN at some points", "reported, with how many were undefined"),
    21: ("a Greek letter in an export to FITS", "written"),
    22: ("a model is pickled or copied", "works"),
    23: ("UltraNest in two threads", "as alone; nothing left changed"),
    24: ("the style of the reports in a notebook", "the user's Matplotlib is unchanged"),
    25: ("`max_steps` of 20 million", "memory grows with what was sampled"),
    26: ("a default spelt out, or another label, on resuming", "the same run"),
    27: ("an unconverged run with more steps", "goes on from what it has"),
    28: ("a run with its own catalog on another machine", "the folder holds what it needs"),
    29: ("a luminosity function with one bin", "drawn with its model"),
    30: ("maximize and fisher where the likelihood is flat", "said"),
    31: ("a derived number that is constant", "printed as a constant"),
    32: ("export to ArviZ of a nested run", "shuffled reproducibly"),
    33: ("the corner plot at the edges of the prior", "densities end there without a fall"),
    34: ("the HTML report at 1200 pixels", "all columns; trailing zeros kept"),
    35: ("a terminal of 80 columns", "the table fits"),
    36: ("a fixed value outside the training box", "says what can be done"),
    37: ("Ctrl-C in a fit", "ends in a second; says how to go on"),
}


class Collector:
    """A plugin of pytest that keeps the outcome of each marked test."""

    def __init__(self) -> None:
        self.marks: dict[str, list[tuple[str, ...]]] = {}
        self.outcomes: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            found = [("case", str(mark.args[0])) for mark in item.iter_markers("case")]
            found += [("attack", *mark.args[:2]) for mark in item.iter_markers("attack")]
            self.marks[item.nodeid] = found

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        worst = self.outcomes.get(report.nodeid, "passed")
        self.outcomes[report.nodeid] = report.outcome if worst == "passed" else worst

    def by_row(self, kind: str) -> dict[tuple[str, ...], list[str]]:
        """Return the outcomes of the tests of each row."""
        rows = defaultdict(list)
        for test, marks in self.marks.items():
            for mark in marks:
                if mark[0] == kind and test in self.outcomes:
                    rows[mark[1:]].append(self.outcomes[test])
        return rows


def verdict(outcomes: list[str]) -> str:
    """Return one word for the outcomes of the tests of a row, and their number."""
    if not outcomes:
        return "NOT TESTED"
    if "failed" in outcomes:
        return "WRONG"
    skipped = outcomes.count("skipped")
    return "skipped" if skipped == len(outcomes) else f"right ({len(outcomes) - skipped})"


def main() -> int:
    """Run the tests and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attacks", action="store_true", help="the table of attacks")
    parser.add_argument("--fast", action="store_true", help="without slow tests")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    kind = "attack" if given.attacks else "case"
    collector = Collector()
    marks = f"{kind} and not slow" if given.fast else kind
    pytest.main(["-q", "-m", marks, "--rootdir", str(_ROOT), str(_ROOT / "tests")], plugins=[collector])
    rows = collector.by_row(kind)
    if kind == "case":
        table = [(str(n), *text, verdict(rows.get((str(n),), []))) for n, text in CASES.items()]
        header = ("#", "input", "right", "now (tests)")
    else:
        table = [(*key, verdict(outcomes)) for key, outcomes in sorted(rows.items())]
        header = ("area", "tried", "now (tests)")
    for row in (header, ["---"] * len(header), *table):
        print("| " + " | ".join(row) + " |")
    return int(any(row[-1] in ("WRONG", "NOT TESTED") for row in table))


if __name__ == "__main__":
    sys.exit(main())
