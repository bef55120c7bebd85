"""TensorFlow's messages: not on the terminal of the command line, and untouched in a script."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from astroemu.cli.foreign import silenced

#: A module of the name of TensorFlow that writes to standard error as its compiled parts do.
NOISY = """
import os
os.write(2, b'I0000 oneDNN custom operations are on.')
VALUE = os.environ.get('TF_CPP_MIN_LOG_LEVEL')
"""
SCRIPT = """
import importlib.util, sys
from astroemu.cli.foreign import silenced
before = list(sys.meta_path)
with silenced():
    importlib.util.find_spec("tensorflow")  # looking for it is no import
    import tensorflow
print(tensorflow.VALUE, tensorflow.__loader__.__class__.__name__, sys.meta_path == before)
"""


def run(folder, script, **environment):
    (folder / "tensorflow.py").write_text(NOISY)
    path = os.pathsep.join([str(folder), *sys.path])
    clean = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        env={**clean, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "", **environment},
    )  # fmt: skip
    return done.stdout.strip(), done.stderr


def test_its_import_is_silent_and_its_errors_are_off_without_a_gpu(tmp_path):
    out, err = run(tmp_path, SCRIPT)
    assert out == "3 SourceFileLoader True" and "oneDNN" not in err


def test_what_the_user_has_set_holds(tmp_path):
    assert run(tmp_path, SCRIPT, TF_CPP_MIN_LOG_LEVEL="0")[0].startswith("0 ")


def test_an_import_that_fails_says_why(tmp_path):
    _, err = run(tmp_path, SCRIPT.replace("import tensorflow\n", "import tensorflow.nothing\n"))
    assert "ModuleNotFoundError" in err


def test_a_script_is_left_alone(tmp_path):
    out, err = run(tmp_path, "import astroemu.cli, tensorflow; print(tensorflow.VALUE)")
    assert out == "None" and "oneDNN" in err


def test_nothing_is_left_behind():
    before = list(sys.meta_path)
    with pytest.raises(ValueError, match="x"), silenced():
        raise ValueError("x")
    assert sys.meta_path == before
