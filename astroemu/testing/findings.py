"""The results of the kit: one finding per check, and a table of all findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["passed", "failed", "skipped"]


class NonConformance(AssertionError):  # noqa: N818 - it is raised as a finding
    """Raised if a plugin does not satisfy its interface."""


class Skipped(Exception):  # noqa: N818 - no error
    """Raised if a check does not apply; the message states the reason."""


@dataclass(frozen=True)
class Finding:
    """The result of one check: its name, the outcome, and numbers or the reason."""

    check: str
    outcome: Outcome
    detail: str = ""


@dataclass
class Report:
    """The results of all checks of one plugin.

    Attributes
    ----------
    subject : str
        The plugin, such as ``probe 'optical_depth'``.
    findings : list of Finding
    """

    subject: str
    findings: list[Finding] = field(default_factory=list)

    def run(self, check: str, examine: Callable[[], str | None]) -> bool:
        """Run one check and store its finding; any exception counts as failure, also that of ``sys.exit``.

        Parameters
        ----------
        check : str
            Name of the check.
        examine : callable
            Returns the detail of the finding. :class:`Skipped` marks the check as skipped.

        Returns
        -------
        bool
            True if the check passed.
        """
        try:
            self.findings.append(Finding(check, "passed", examine() or ""))
        except Skipped as reason:
            self.findings.append(Finding(check, "skipped", str(reason)))
        except NonConformance as failure:
            self.findings.append(Finding(check, "failed", str(failure)))
        except (Exception, SystemExit) as error:
            self.findings.append(Finding(check, "failed", f"{type(error).__name__}: {error}"))
        return self.findings[-1].outcome == "passed"

    def holds(self, check: str, examine: Callable[[], str | None]) -> bool:
        """Run one check as :meth:`run`; return False only if it failed."""
        self.run(check, examine)
        return self.findings[-1].outcome != "failed"

    @property
    def failures(self) -> list[Finding]:
        """The checks that failed."""
        return [finding for finding in self.findings if finding.outcome == "failed"]

    @property
    def passed(self) -> bool:
        """True if no check failed."""
        return not self.failures

    def table(self) -> str:
        """Return a table with one line per check."""
        width = max((len(finding.check) for finding in self.findings), default=0)
        lines = [f"{f.check:<{width}}  {f.outcome:<7}  {f.detail}".rstrip() for f in self.findings]
        counts = {kind: sum(f.outcome == kind for f in self.findings) for kind in ("passed", "failed", "skipped")}
        total = ", ".join(f"{n} {kind}" for kind, n in counts.items() if n)
        return "\n".join([self.subject, *(f"  {line}" for line in lines), f"  {total}"])

    def demand(self) -> None:
        """Raise if a check failed.

        Raises
        ------
        NonConformance
            With all failed checks and their details.
        """
        if self.failures:
            lines = "\n".join(f"  {f.check}: {f.detail}" for f in self.failures)
            raise NonConformance(f"{self.subject} does not conform:\n{lines}")


def ensure(condition: bool, message: str) -> None:
    """Raise :class:`NonConformance` unless a condition holds."""
    if not condition:
        raise NonConformance(message)
