"""Reports of a run: table, pictures, and one page with all of it."""

from astroemu.report.page import write_page
from astroemu.report.report import write_report

__all__ = ["write_page", "write_report"]
