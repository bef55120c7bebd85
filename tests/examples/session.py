"""Run commands of astroemu and tests of plugins in one process: python session.py < TASKS

The input is a JSON list of lists of words: ``["astroemu", ...]``, ``["pytest", ...]`` or
``["read", CONFIGURATION, TRUTH]``. The output is a JSON list with the exit code and the text of each. One process for
all of them imports the libraries only once.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import command

import astroemu


def run(program: str, *words: str) -> tuple[int, str]:
    """Return the exit code and everything that is printed."""
    if program == "astroemu":
        code, out, err = command(*words)
        return code, out + err
    if program == "read":
        return 0, str(log_likelihood_of(*words))
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        return int(pytest.main(list(words))), text.getvalue()


def log_likelihood_of(configuration: str, truth: str) -> float:
    """Return the log-likelihood of a model at the point of a ``truth.json``."""
    model = astroemu.load_model(configuration)
    point = json.loads(Path(truth).read_text())["parameters"]
    return float(model.log_likelihood([[point[name] for name in model.names]])[0])


if __name__ == "__main__":
    results = [run(*words) for words in json.load(sys.stdin)]
    print(json.dumps(results))
