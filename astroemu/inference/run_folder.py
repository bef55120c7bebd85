"""The folder of a run: its inputs and its results.

    RUN/configuration.toml   the configuration as given
    RUN/resolved.json        the configuration after all overrides, its path, and the files that it names
    RUN/inputs/              copies of these files (astroemu.inference.stored_inputs)
    RUN/identity.json        what must match for the run to be resumed, and what may differ
    RUN/likelihoods.record   until the run has converged: all likelihoods so far (astroemu.sampling.replay)
    RUN/samples.h5           posterior samples
    RUN/summary.json         numerical results, versions and checksums
    RUN/*.png, RUN/table.txt written by the report
    RUN/rerun.json           in a repeated run: comparison with the original (astroemu.analysis.rerun)

One process at a time works in a folder: it locks the folder, then looks, then writes. The results of a converged run
are never overwritten. Those of an unconverged run are replaced when a longer run is finished.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from astroemu.errors import AstroemuError, RunFolderError, located
from astroemu.inference.configuration import Configuration, configuration_from
from astroemu.inference.fingerprint import RunFingerprint
from astroemu.inference.run_documents import read_resolved, read_summary
from astroemu.inference.stored_inputs import FOLDER, described, input_files, store, with_copies
from astroemu.io.files import write_json, write_text
from astroemu.io.lock import locked
from astroemu.runtime.upper import upper
from astroemu.sampling.samples import Samples

_FILES = ("resolved.json", "configuration.toml", "identity.json", "samples.h5", "summary.json")
#: Temporary files of the atomic writer, after a process was killed while it wrote.
_NAMES = "|".join(map(re.escape, _FILES))
_LEFT_OVER = re.compile(rf"\.(\.next-)?({_NAMES})\.[0-9a-f]+\.part|\.next-({_NAMES})")
#: Most folders ``NAME``, ``NAME-2``, ... that are tried.
_MOST_FOLDERS = 100_000


class RunFolder:
    """One run on disk.

    Attributes
    ----------
    path : Path
    run_plugin_files : bool
        Whether the files of code in the folder may be executed. It may come from another hand.
    """

    def __init__(self, path: str | Path, *, run_plugin_files: bool = False) -> None:
        self.path = Path(path)
        self.run_plugin_files = run_plugin_files

    @classmethod
    def create(cls, path: str | Path) -> RunFolder:
        """Create the folder of a new run and return it.

        Raises
        ------
        RunFolderError
            If the folder is not empty or cannot be created.
        """
        folder = cls(path)
        folder._demand_free()
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"cannot create the folder {path}: {error.strerror}") from None
        return folder

    @classmethod
    def open(cls, path: str | Path, *, run_plugin_files: bool = False) -> RunFolder:
        """Return the folder of a finished run.

        Parameters
        ----------
        path : str or Path
        run_plugin_files : bool
            Whether files of code that its configuration names may be executed, see
            :mod:`astroemu.runtime.plugin_files`. Give true only for a run that you trust.

        Raises
        ------
        RunFolderError
            If a file of a finished run is missing.
        """
        folder = cls(path, run_plugin_files=run_plugin_files)
        for needed in (folder.samples_file, folder.summary_file, folder.resolved_file):
            if not needed.is_file():
                raise RunFolderError(
                    f"{folder.path} does not hold a finished run: {needed.name} is missing. "
                    + ("Go on with astroemu fit --resume" if folder.identity_file.is_file() else "Name another folder")
                )
        return folder

    @classmethod
    @contextmanager
    def claimed(cls, path: str | Path | None, parent: Path, name: str, *, resume: bool = False) -> Iterator[RunFolder]:
        """Context manager that yields a folder which no other process can enter until the end.

        Parameters
        ----------
        path : str or Path, optional
            By default the first free one of ``name``, ``name-2``, ... in ``parent``; with ``resume``, the last one.
        parent : Path
        name : str
        resume : bool
            The folder may hold a run.

        Raises
        ------
        RunFolderError
            If another process works in the folder, if it holds other files, or, without ``resume``, a run.
        """
        with ExitStack() as stack:
            if path is None and not resume:
                yield cls._first_free(parent, name, stack)
                return
            folder = cls.last(parent, name) if path is None else cls(path)
            if folder.path.exists() and not folder.path.is_dir():
                raise folder._not_free()
            stack.enter_context(locked(folder.path))
            folder._clear()
            if not resume:
                folder._demand_free()
            yield folder

    @classmethod
    def _first_free(cls, parent: Path, name: str, stack: ExitStack) -> RunFolder:
        """Return the first free folder, locked until the end of the stack."""
        for path in _numbered(parent, name):
            with suppress(RunFolderError), ExitStack() as lock:  # another process may just have taken it
                lock.enter_context(locked(path))
                cls(path)._clear()
                cls(path)._demand_free()
                stack.push(lock.pop_all())
                return cls(path)
        raise RunFolderError(f"{parent} has no free folder for {name}; choose one with --out")

    @classmethod
    def free(cls, parent: Path, name: str) -> Path:
        """Return the path of the first of ``name``, ``name-2``, ``name-3``, ... that is empty or missing."""
        return next(path for path in _numbered(parent, name) if _is_empty(path))

    @classmethod
    def last(cls, parent: Path, name: str) -> RunFolder:
        """Return the last folder of ``name``, ``name-2``, ... that is not empty; the first if all are."""
        last = parent / name
        for path in _numbered(parent, name):
            if _is_empty(path):
                break
            last = path
        return cls(last)

    def _clear(self) -> None:
        """Remove what a process that was killed while it wrote has left. Call it under the lock of the folder."""
        with suppress(OSError):
            for file in self.path.iterdir():
                if _LEFT_OVER.fullmatch(file.name):
                    file.unlink()
            left = {file.name for file in self.path.iterdir()}
            if self.resolved_file.name in left <= {self.resolved_file.name, self.configuration_file.name, FOLDER}:
                # It was killed at its start: the identity, which comes last, is missing.
                if not (self.path / FOLDER).is_symlink():
                    shutil.rmtree(self.path / FOLDER, ignore_errors=True)
                self.configuration_file.unlink(missing_ok=True)
                self.resolved_file.unlink()

    def _demand_free(self) -> None:
        if not _is_empty(self.path):
            raise self._not_free()

    def _not_free(self) -> RunFolderError:
        if self.identity_file.is_file() and not self.finished:
            return RunFolderError(
                f"{self.path} holds an unfinished run; nothing was changed. Add --resume to go on with it, or choose "
                "another folder with --out"
            )
        return RunFolderError(
            f"{self.path} already holds a run or other files; nothing was changed. "
            "Choose another folder with --out, or remove this one"
        )

    def fingerprint(self) -> RunFingerprint | None:
        """Return the fingerprint of the run to resume; None if the folder is empty.

        Raises
        ------
        RunFolderError
            If the folder holds something else.
        """
        return None if _is_empty(self.path) else RunFingerprint.load(self.identity_file)

    @property
    def finished(self) -> bool:
        """True if the run is finished."""
        return self.summary_file.is_file()

    @property
    def state(self) -> str:
        """The state of the folder in words: finished, unfinished or no run."""
        if self.finished:
            return "finished"
        return "unfinished" if self.identity_file.is_file() else "no run"

    def __repr__(self) -> str:
        return f"<RunFolder {str(self.path)!r}: {self.state}>"

    def _repr_html_(self) -> str:
        return str(upper("run_html")(self))

    @property
    def samples_file(self) -> Path:
        return self.path / "samples.h5"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def resolved_file(self) -> Path:
        return self.path / "resolved.json"

    @property
    def configuration_file(self) -> Path:
        return self.path / "configuration.toml"

    @property
    def identity_file(self) -> Path:
        return self.path / "identity.json"

    @property
    def record_file(self) -> Path:
        return self.path / "likelihoods.record"

    def start(self, configuration: Configuration, resolved: Mapping[str, Any], identity: RunFingerprint | None) -> None:
        """Write the inputs. The fingerprint comes last: if it is present, the run can be resumed.

        Parameters
        ----------
        configuration : Configuration
        resolved : mapping
            Content of ``resolved.json``, without the files that the configuration names.
        identity : RunFingerprint or None
            None for a run that no sampler made and that is not used again.
        """
        files = input_files(configuration)
        write_json(self.resolved_file, {**resolved, "inputs": described(files)})
        write_text(self.configuration_file, configuration.text)
        store(files, self.path)
        if identity is not None:
            identity.save(self.identity_file)

    def reopen(self, configuration: Configuration, resolved: Mapping[str, Any], identity: RunFingerprint) -> None:
        """Make a finished run an unfinished one with other stopping criteria, when its new results are ready.

        Killed from here on, it goes on from its record.
        """
        self.summary_file.unlink()
        self.start(configuration, resolved, identity)

    def finish(self, samples: Samples, summary: Mapping[str, Any]) -> None:
        """Write the results. The summary comes last: if it is present, the run is finished.

        The results of an earlier, unconverged run stay until the new ones are complete on the disk.
        """
        new_samples, new_summary = (self.path / f".next-{name}" for name in ("samples.h5", "summary.json"))
        samples.save(new_samples, summary["provenance"])
        write_json(new_summary, summary)
        try:
            self.summary_file.unlink(missing_ok=True)  # killed here, the run goes on from its record
            new_samples.replace(self.samples_file)
            new_summary.replace(self.summary_file)
        except OSError as error:
            raise RunFolderError(f"cannot write the results into {self.path}: {error.strerror}") from None

    def samples(self) -> Samples:
        """Return the samples.

        Raises
        ------
        DataError
            If the file is damaged.
        RunFolderError
            If they are of other parameters than the summary.
        """
        samples = Samples.load(self.samples_file)
        if self.finished and {*samples.names} != {*self.summary()["parameters"]}:
            raise RunFolderError(
                f"{self.path}: {self.samples_file.name} and {self.summary_file.name} are of different parameters; one "
                "of them was exchanged. Restore it"
            )
        return samples

    def summary(self) -> dict[str, Any]:
        """Return the summary."""
        return read_summary(self.summary_file)

    def resolved(self) -> dict[str, Any]:
        """Return ``path``, ``configuration`` and ``inputs``, as at the start of the run."""
        return read_resolved(self.resolved_file)

    def configuration(self) -> Configuration:
        """Return the configuration of the run, with all overrides, reading the files of the folder."""
        resolved = self.resolved()
        path = Path(resolved["path"])
        raw = with_copies(resolved["configuration"], path.parent, resolved["inputs"], self.path)
        try:
            text = self.configuration_file.read_text(encoding="utf-8") if self.configuration_file.is_file() else None
        except (OSError, UnicodeDecodeError) as error:
            raise RunFolderError(f"{self.configuration_file} cannot be read: {error}") from None
        with located(str(self.resolved_file)):
            return configuration_from(raw, path, text, run_plugin_files=self.run_plugin_files)

    def stored_order(self) -> dict[str, Any] | None:
        """Return the configuration of the run in this folder as it was written; None if there is none that is whole."""
        try:
            return dict(self.resolved()["configuration"])
        except AstroemuError:
            return None


def _is_empty(path: Path) -> bool:
    """Return True for a path where a new run can start."""
    try:
        return not path.exists() or (path.is_dir() and not any(path.iterdir()))
    except OSError as error:
        raise RunFolderError(f"{path} cannot be looked into: {error.strerror}") from None


def _numbered(parent: Path, name: str) -> Iterator[Path]:
    """Yield the paths ``name``, ``name-2``, ``name-3``, ..."""
    yield parent / name
    for number in count(2):
        if number > _MOST_FOLDERS:
            return
        yield parent / f"{name}-{number}"
