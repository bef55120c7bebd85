"""Signals: a flag between batches, an exception for code that does not look at it, and an end within a second."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers import FIT_OF_TAU

from astroemu.errors import Terminated
from astroemu.runtime import interruption
from astroemu.sampling.target import evaluate
from astroemu.testing.problems import Gaussian

LINE = "astroemu: stopped"


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Keep this process alive: no timer of the system, and no end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(interruption, "_received", None)
    monkeypatch.setattr(interruption, "_RAISED", 0.02)
    monkeypatch.setattr(interruption, "_ENDED", 0.05)
    monkeypatch.setattr(signal, "setitimer", lambda *_: None)
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    yield ended
    limit = time.monotonic() + 5.0
    while interruption._received is not None and not ended and time.monotonic() < limit:
        time.sleep(0.005)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.case(37)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_batch_that_has_begun_is_finished_and_the_next_one_is_not_begun(number, code, monkeypatch):
    monkeypatch.setattr(interruption, "_RAISED", 0.2)
    monkeypatch.setattr(interruption, "_ENDED", 0.3)
    begun, done = [], []

    class Slow(Gaussian):
        def log_likelihood(self, theta):
            begun.append(len(begun))
            if len(begun) == 3:
                os.kill(os.getpid(), number)
                time.sleep(0.02)
            done.append(len(done))
            return super().log_likelihood(theta)

    with pytest.raises(Terminated) as end, interruption.handled(lambda _: LINE):
        for _ in range(10):
            evaluate(Slow(), np.zeros((1, 2)), gradient=False)
    assert end.value.code == code and len(begun) == len(done) == 3


@pytest.mark.case(37)
def test_code_that_never_looks_at_the_flag_gets_the_exception(alone, capfd):
    with pytest.raises(Terminated), interruption.handled(lambda code: f"{LINE} {code}"):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5.0)
    limit = time.monotonic() + 5.0
    while not alone and time.monotonic() < limit:
        time.sleep(0.005)
    assert alone == [130]  # this process would have been ended: it was still there
    assert capfd.readouterr().err == f"{LINE} 130\n"


def test_a_second_signal_raises_at_once_and_a_third_does_not_disturb_the_end(monkeypatch):
    monkeypatch.setattr(interruption, "_RAISED", 0.2)
    monkeypatch.setattr(interruption, "_ENDED", 0.3)
    with interruption.handled(lambda _: LINE):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Terminated):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        interruption.check()


def test_the_line_is_told_once(monkeypatch, capfd):
    with pytest.raises(Terminated), interruption.handled(lambda _: LINE):
        os.kill(os.getpid(), signal.SIGINT)
        interruption.tell(LINE)
        interruption.tell(LINE)
        interruption.check()
    assert capfd.readouterr().err == f"{LINE}\n"


def test_without_a_signal_the_handlers_of_the_user_are_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interruption.handled(lambda _: LINE):
        assert signal.getsignal(signal.SIGINT) is not before[0]
    with contextlib.suppress(KeyError), interruption.handled(lambda _: LINE):
        raise KeyError
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    interruption.check()


@pytest.mark.attack("samplers", "the command line called from a thread, where Python takes no signal handler")
def test_in_another_thread_no_handler_is_installed():
    seen = []

    def run():
        with interruption.handled(lambda _: LINE):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


STUCK = """
import threading, time
from astroemu.runtime.interruption import handled
lock = threading.Lock()
lock.acquire()
with handled(lambda code: f"ended {code}"):
    threading.Thread(target=lock.acquire).start()
    print("ready", flush=True)
    time.sleep(30)
"""


@pytest.mark.case(37)
def test_a_worker_thread_that_waits_for_ever_does_not_keep_the_process():
    """Python waits for such a thread when it ends: this was the fit that never ended."""
    job = subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert job.stdout is not None and job.stdout.readline() == "ready\n"
    job.send_signal(signal.SIGINT)
    _, error = job.communicate(timeout=20)
    assert job.returncode == 130 and error == "ended 130\n"


@pytest.mark.slow
@pytest.mark.case(37)
@pytest.mark.parametrize("sampler", ["emcee", "ultranest"])
def test_fits_interrupted_at_random_moments_end_soon_and_say_how_to_go_on(tmp_path, sampler):
    rng = np.random.default_rng(1)
    (tmp_path / "fit.toml").write_text(FIT_OF_TAU + "[samplers.emcee]\nautocorrelation_times = 1e6\n")
    for n in range(10):
        out = tmp_path / f"{sampler}{n}"
        job = subprocess.Popen(
            [sys.executable, "-m", "astroemu", "fit", "fit.toml", "--sampler", sampler, "--out", str(out)],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while not out.exists():
            assert job.poll() is None
            time.sleep(0.01)
        time.sleep(2.0 * rng.random())
        if job.poll() is None:  # it is not finished
            job.send_signal(signal.SIGINT)
            begun = time.monotonic()
            _, error = job.communicate(timeout=30)
            assert time.monotonic() - begun < 5.0  # one second, if the machine has nothing else to do
            assert job.returncode == 130 and "Traceback" not in error
            assert error.endswith("astroemu: interrupted; to go on: the same command with --resume\n"), error


def test_without_a_signal_the_process_is_not_ended_by_force(alone):
    with pytest.raises(SystemExit) as end:
        interruption.leave(130)
    assert end.value.code == 130 and not alone
