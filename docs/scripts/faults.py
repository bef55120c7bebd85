"""Provoke faults during a short fit and print the consequences of each.

    python docs/scripts/faults.py

The script prints the table of docs/robustness.md. Its exit code is 1 if a result is not as expected. It needs Linux.
If it runs as root, the fit that tests permissions runs without root's right to write anywhere.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

COMMAND = [str(Path(sys.executable).with_name("astroemu"))]
FIT = ["fit", "reionization", "--no-report", "--engine", "numpy", "--set", "samplers.emcee.autocorrelation_times=1e6"]
LONG = [*FIT, "--set", "samplers.emcee.max_steps=100000"]
SHORT = [*FIT, "--set", "samplers.emcee.max_steps=200"]
Row = tuple[str, str, str, bool]


def start(*arguments: str, **how: object) -> subprocess.Popen[str]:
    """Start the command line with these arguments."""
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **how
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end; return the exit code and the last line of the error output."""
    _, errors = process.communicate(timeout=300)
    lines = [line for line in errors.strip().splitlines() if line.startswith("astroemu:")]
    return process.returncode, ("TRACEBACK " if "Traceback" in errors else "") + (lines[-1] if lines else "")


def state(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder."""
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def sampling(folder: Path) -> subprocess.Popen[str]:
    """Start a long fit and wait until it has written likelihoods."""
    process = start(*LONG, "--out", str(folder))
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if any(p.stat().st_size > 10_000 for p in folder.glob("*") if p.name not in _INPUTS):
            return process
        time.sleep(0.2)
    process.kill()
    raise RuntimeError(f"the fit did not start: {ended(process)}")


_INPUTS = ("configuration.toml", "resolved.json", "identity.json")


def interrupted(number: signal.Signals, code: int) -> Callable[[Path], Row]:
    """Return a fault that sends a signal during sampling and checks the exit code and the recorded likelihoods."""

    def fault(folder: Path) -> Row:
        process = sampling(folder / "run")
        process.send_signal(number)
        found, message = ended(process)
        size = sum(p.stat().st_size for p in (folder / "run").glob("*") if p.name not in _INPUTS)
        return (
            f"{number.name} while sampling",
            f"exit {found}",
            f"{size >> 10} KiB of likelihoods kept",
            (found == code and size > 10_000 and "TRACEBACK" not in message),
        )

    return fault


def two_runs(folder: Path) -> Row:
    """Start a second run in the folder of a run in progress."""
    first = sampling(folder / "run")
    try:
        second = ended(start(*SHORT, "--out", str(folder / "run")))
        resumed = ended(start(*LONG, "--resume", "--out", str(folder / "run")))
        alive = first.poll() is None
    finally:
        first.kill()
        first.wait()
    good = alive and second[0] == resumed[0] == 2 and "TRACEBACK" not in second[1] + resumed[1]
    return (
        "second run into the folder (also with --resume)",
        f"exit {second[0]}, {resumed[0]}",
        ("first run goes on" if alive else "first run ended"),
        good,
    )


def disk_full(folder: Path) -> Row:
    """Limit the size of files while the likelihoods are written."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    (folder / "old").mkdir()
    (folder / "old" / "samples.h5").write_bytes(b"earlier")
    before = state(folder / "old")
    code, message = ended(start(*LONG, "--out", str(folder / "run"), preexec_fn=limited))
    kept = state(folder / "old") == before
    return (
        "disk full while sampling (RLIMIT_FSIZE)",
        f"exit {code}",
        "earlier runs intact" if kept else "LOST",
        (code == 2 and kept and "TRACEBACK" not in message),
    )


def _without_override() -> None:
    """Remove root's right to write anywhere (CAP_DAC_OVERRIDE, by PR_CAPBSET_DROP)."""
    if os.getuid() == 0:
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


def not_permitted(folder: Path) -> Row:
    """Start a run in a folder where the user may not write."""
    closed = folder / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    code, message = ended(start(*SHORT, "--out", str(closed / "run"), preexec_fn=_without_override))
    return (
        "folder without permission",
        f"exit {code}",
        "nothing written" if not any(closed.iterdir()) else "WRITTEN",
        (code == 2 and not any(closed.iterdir()) and "TRACEBACK" not in message),
    )


def finished(folder: Path) -> Row:
    """Start a run in the folder of a finished run."""
    first = ended(start(*SHORT, "--out", str(folder / "run")))
    before = state(folder / "run")
    code, message = ended(start(*SHORT, "--out", str(folder / "run")))
    kept = first[0] == 0 and bool(before) and state(folder / "run") == before
    return (
        "run into a folder with a finished run",
        f"exit {code}",
        "every file the same" if kept else "CHANGED",
        (code == 2 and kept and "TRACEBACK" not in message),
    )


FAULTS: tuple[Callable[[Path], Row], ...] = (
    interrupted(signal.SIGINT, 130),
    interrupted(signal.SIGTERM, 143),
    two_runs,
    finished,
    disk_full,
    not_permitted,
)


def main() -> int:
    print("| fault | answer | what was lost or kept | as it should be |\n|---|---|---|---|")
    good = True
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            name, answer, kept, right = fault(Path(folder))
        good &= right
        print(f"| {name} | {answer} | {kept} | {'yes' if right else 'NO'} |", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
