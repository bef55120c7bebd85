"""Reports of runs and validations: tables, figures, and HTML pages."""

from __future__ import annotations

from astroemu.report.html_page import write_page
from astroemu.report.run_report import write_report
from astroemu.report.validation_page import is_validation, write_validation_page

__all__ = ["is_validation", "write_page", "write_report", "write_validation_page"]
