"""Pictures and tables of a run."""

from astroemu.report.report import write_report

__all__ = ["write_report"]
