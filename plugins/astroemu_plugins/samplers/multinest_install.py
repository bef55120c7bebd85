"""Builds the library of MultiNest from the source archive of CosmoSIS, by pip and gfortran.

**Source.** No package registry of Python has MultiNest. The source distribution of CosmoSIS carries its source, with
the changes of the years after its last release. A checksum decides which one is used.

**Download.** pip downloads, because it knows the registry, proxy and certificates of this machine. It would also run
the build system of the archive, only to learn its name and version, and install that build system first. A stand-in
says the name and version instead. So no code of the archive runs, and pip needs nothing but the archive.

**Compiler.** The modules of Fortran depend on each other, so all files are given to the compiler at once, in their
order. MultiNest's time is in the likelihood: its own code is not faster with more than ``-O2``, and takes longer to
compile.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from astroemu.errors import DataError, PluginError
from astroemu.io.files import reading, write_atomically, write_bytes
from astroemu.io.lock import temporary_folder
from astroemu.sampling.sampler import LibraryInstaller, SystemLibrary
from astroemu_plugins.samplers import multinest_library
from astroemu_plugins.samplers.multinest_library import DISTRIBUTION, RELEASE, SOURCE

#: The source of MultiNest inside the archive.
_INSIDE = "cosmosis/samplers/multinest/multinest_src"
#: In the order of their dependence. The wrapper in the archive is replaced by ours.
_FILES = ("utils", "utils1", "priors", "kmeans_clstr", "xmeans_clstr", "posterior", "nested")
_WRAPPER = Path(__file__).with_name("multinest_wrapper.f90")
_LICENCE = "LICENCE"
_OPTIONS = ["-O2", "-fPIC", "-shared", "-cpp", "-std=legacy", "-ffree-line-length-none", "-w"]
#: Libraries that have LAPACK, in the order in which they are tried.
_LAPACK = (["-llapack"], ["-lopenblas"], ["-framework", "Accelerate"])
_TRIAL = "program trial\n  external dpotrf, dsyevr, dgeev\n  call dpotrf\n  call dsyevr\n  call dgeev\nend program\n"
_NO_COMPILER = (
    "there is no Fortran compiler. Install gfortran (Debian, Ubuntu: apt-get install gfortran liblapack-dev; Fedora: "
    "dnf install gcc-gfortran lapack-devel; conda: conda install -c conda-forge gfortran openblas), or name one by the "
    "environment variable FC"
)
_NO_LAPACK = (
    "the compiler finds no LAPACK. Install it (Debian, Ubuntu: apt-get install liblapack-dev; Fedora: dnf install "
    "lapack-devel; conda: conda install -c conda-forge openblas)"
)
_CITE = (
    "Publications that use it must cite Feroz & Hobson 2008 (arXiv:0704.3704), Feroz, Hobson & Bridges 2009 "
    "(arXiv:0809.3437) and Feroz et al. 2019 (arXiv:1306.2144)."
)
_DOWNLOAD_S, _COMPILE_S = 600, 3600
#: Says of every archive that it is the one, in the place of its build system.
_STAND_IN = """
from pathlib import Path
class __legacy__:
    @staticmethod
    def get_requires_for_build_wheel(config_settings=None):
        return []
    @staticmethod
    def prepare_metadata_for_build_wheel(folder, config_settings=None):
        made = Path(folder) / "{name}-{release}.dist-info"
        made.mkdir()
        (made / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {release}\\n")
        return made.name
"""


@dataclass(frozen=True)
class MultiNestInstaller(LibraryInstaller):
    """Builds MultiNest.

    Attributes
    ----------
    checksum : str
        SHA-256 of the archive.
    """

    checksum: str = "bbeed481411d2bfa83d0b14bcc3d16a0b80dcf1c1f099e5066d10e4711c36508"

    terms = (
        "MultiNest is copyrighted by Farhan Feroz and Mike Hobson. Its licence allows academic, research and other "
        f"non-commercial use only, without any warranty. {_CITE}"
    )

    def library(self) -> SystemLibrary:
        return multinest_library.installed()

    def demand_tools(self) -> None:
        _lapack(_compiler())

    def fetch(self, folder: Path, source: Path | None = None) -> str:
        archive = _downloaded(folder, self.checksum) if source is None else source
        with reading(archive):
            content = archive.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != self.checksum:
            raise DataError(
                f"{archive} has the SHA-256 {found}, not {self.checksum}: it is damaged, or it is not the source of "
                f"{DISTRIBUTION} {RELEASE}. Download it again"
            )
        _unpack(archive, folder)
        licence = (folder / _LICENCE).read_text(encoding="latin-1").strip()
        return f"Licence of MultiNest ({_LICENCE} in its source, stored beside the library):\n\n{licence}\n"

    def build(self, folder: Path) -> Path:
        compiler = _compiler()
        made = _compiled(compiler, _lapack(compiler), folder)
        path = multinest_library.installed_path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"cannot create the folder {path.parent}: {error.strerror}. Use a Python environment of your own "
                "(python3 -m venv), and install astroemu there"
            ) from None
        write_atomically(path, lambda temporary: _copy_if_it_works(made, temporary))
        write_bytes(path.with_suffix(".LICENCE"), (folder / _LICENCE).read_bytes())
        return path


def _copy_if_it_works(made: Path, to: Path) -> None:
    """Copy a library to its folder, and try it there: some machines load nothing from the temporary folder."""
    shutil.copyfile(made, to)
    _, fault = multinest_library.tried(str(to))
    if fault:
        raise PluginError(f"MultiNest was built, but {fault}. Nothing was installed")


def _compiler() -> list[str]:
    """Return the command of GNU's Fortran compiler: ``FC`` if that is one, else ``gfortran``.

    Raises
    ------
    PluginError
        If there is none.
    """
    for command in (shlex.split(os.environ.get("FC", "")), ["gfortran"]):
        if command and shutil.which(command[0]) and "GNU Fortran" in _output([*command, "--version"], 60):
            return command
    raise PluginError(f"MultiNest cannot be built: {_NO_COMPILER}")


def _lapack(compiler: list[str]) -> list[str]:
    """Return the options with which the compiler finds LAPACK.

    Raises
    ------
    PluginError
        If it does not find it.
    """
    lib = Path(sys.prefix) / "lib"
    places = [f"-L{lib}", f"-Wl,-rpath,{lib}"] if (Path(sys.prefix) / "conda-meta").is_dir() else []
    with temporary_folder() as folder:
        (folder / "trial.f90").write_text(_TRIAL)
        said = []
        for names in _LAPACK:
            said.append(_output([*compiler, "-o", "trial", "trial.f90", *places, *names], 60, folder))
            if (folder / "trial").is_file():
                return [*places, *names]
    raise PluginError(f"MultiNest cannot be built: {_NO_LAPACK}. The compiler said: {said[0].strip()[-200:]}")


def _downloaded(folder: Path, checksum: str) -> Path:
    """Return the path of the archive, which pip has downloaded into a folder after comparing its checksum."""
    stand_in, got, wanted = folder / "stand_in", folder / "got", folder / "wanted.txt"
    (stand_in / "setuptools").mkdir(parents=True)
    (stand_in / "setuptools" / "__init__.py").write_text("")
    text = _STAND_IN.replace("{name}", DISTRIBUTION).replace("{release}", RELEASE)
    (stand_in / "setuptools" / "build_meta.py").write_text(text)
    wanted.write_text(f"{DISTRIBUTION}=={RELEASE} --hash=sha256:{checksum}\n")
    said = _output(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "2", "download"),
            *("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--dest", str(got), "-r", str(wanted)),
        ],
        _DOWNLOAD_S,
        folder,
        {"PYTHONPATH": str(stand_in)},
    )
    archive = got / f"{DISTRIBUTION}-{RELEASE}.tar.gz"
    if not archive.is_file():
        raise DataError(_not_downloaded(archive.name, said))
    return archive


def _not_downloaded(name: str, said: str) -> str:
    """Return the message for a download that failed, from what pip said."""
    by_hand = (
        f"Or get {name} on another machine (pip download --no-deps --no-binary :all: {DISTRIBUTION}=={RELEASE}), and "
        f"run `astroemu install multinest --from {name}`"
    )
    if "DO NOT MATCH THE HASHES" in said:
        return f"the download of {name} was refused: its SHA-256 is not the expected one. Try again. {by_hand}"
    if "No module named pip" in said:
        return f"cannot download {name}: this Python environment has no pip (python -m ensurepip adds it). {by_hand}"
    errors = [line.strip() for line in said.splitlines() if line.startswith(("ERROR:", "WARNING: Retrying"))]
    reason = errors[-1] if errors else said.strip()[-200:] or "pip said nothing"
    return f"cannot download {name}. Is there a network? pip said: {reason}. {by_hand}"


def _unpack(archive: Path, folder: Path) -> None:
    """Write the licence and the source of MultiNest from an archive into a folder.

    Raises
    ------
    DataError
        If they are not in it.
    """
    try:
        with tarfile.open(archive) as files:
            for name in (_LICENCE, *(f"{stem}.f90" for stem in _FILES)):
                member = files.extractfile(f"{DISTRIBUTION}-{RELEASE}/{_INSIDE}/{name}")
                if member is None:
                    raise KeyError(f"{name} is no file")
                (folder / name).write_bytes(member.read())
    except (KeyError, tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{archive} does not hold the source of MultiNest ({error})") from None


def _compiled(compiler: list[str], lapack: list[str], folder: Path) -> Path:
    """Return the path of the library that is built from the source in a folder."""
    made = folder / "libmultinest.so"
    files = [f"{stem}.f90" for stem in _FILES]
    shutil.copyfile(_WRAPPER, folder / _WRAPPER.name)
    words = f'-DSOURCE_WORDS="{SOURCE}"'
    said = _output([*compiler, *_OPTIONS, words, "-o", made.name, *files, _WRAPPER.name, *lapack], _COMPILE_S, folder)
    if not made.is_file():
        raise PluginError(
            f"MultiNest cannot be built. {' '.join(compiler)} said: {said.strip()[-500:] or 'nothing'}. Is there space "
            "on the disk of the temporary folder?"
        )
    return made


def _output(
    command: list[str], timeout: float, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> str:
    """Return what a command prints, also if it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - pip in our own interpreter, or the compiler
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", timeout=timeout, check=False, cwd=cwd, env={**os.environ, **(environment or {})},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not ready after {timeout:g} s"
    except OSError as error:
        return str(error)
    return done.stdout
