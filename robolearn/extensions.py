"""Users' own rules, brains, shifts and tasks: files named with --with, and installed packages.

A file or package registers what it brings: `robolearn.agents.registry.register`,
`robolearn.shifts.register`, `robolearn.envs.registry.register_task`,
`robolearn.learning.strategies.register`. Configs then know it by name; they never name code.
"""

import importlib.metadata
import importlib.util
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from robolearn.errors import UserError

GROUP = "robolearn.extensions"
_MODULES = "robolearn_extension_"  # how the names of their modules begin
_loaded: set[str] = set()


def load_extension(path: Path) -> None:
    """Run a user's Python file, which registers what it brings; a second time does nothing.

    Raises:
        UserError: there is no such file, or it fails; the message names the error and its line.
    """
    path = path.absolute()
    if str(path) in _loaded:
        return
    if not path.is_file():
        raise UserError(f"--with {path}: no such file")
    # The same in every process that loads the same files: workers are sent what is of this module.
    name = f"{_MODULES}{len(loaded_files())}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"--with {path}: not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"--with {path}{_line_in(path, error)}: {_one_line(error)}") from error
    _loaded.add(str(path))


def loaded_files() -> list[Path]:
    """Return the files that `load_extension` has run in this process, in this order."""
    return [Path(str(m.__file__)) for name, m in sys.modules.items() if name.startswith(_MODULES)]


def brought_files() -> set[Path]:
    """Return the Python files that extensions consist of, empty if there is none.

    Those that `load_extension` has run, those of the packages that `load_installed` has loaded,
    and every module that was imported from elsewhere than an installed package: a rule may lie in
    several files.
    """
    found = {*loaded_files(), *_package_files()}
    return found | _loose_modules() if found else found


def _package_files() -> Iterator[Path]:
    for entry in importlib.metadata.entry_points(group=GROUP):
        module = sys.modules.get(entry.module.partition(".")[0])
        for folder in getattr(module, "__path__", ()):
            yield from Path(folder).rglob("*.py")
        if module is not None and not hasattr(module, "__path__"):
            yield Path(str(module.__file__))


def _loose_modules() -> set[Path]:
    """Return the files of modules that are of no installed package, of Python or of ours."""
    homes = [Path(sysconfig.get_path("stdlib")).resolve(), Path(__file__).resolve().parent]
    found = set()
    for name, module in list(sys.modules.items()):
        file = Path(str(getattr(module, "__file__", None)))
        is_real = file.suffix == ".py" and file.is_absolute() and file.is_file()
        if name == "__main__" or not is_real:  # some modules make a name up
            continue
        file = file.resolve()
        installed = {"site-packages", "dist-packages"} & set(file.parts)
        if not installed and not any(home in file.parents for home in homes):
            found.add(file)
    return found


def load_installed() -> None:
    """Load what installed packages bring under the entry-point group `robolearn.extensions`.

    A broken one is warned of and left out; a second call does nothing.
    """
    for entry in importlib.metadata.entry_points(group=GROUP):
        if entry.value in _loaded:
            continue
        _loaded.add(entry.value)
        try:
            entry.load()
        except Exception as error:
            package = entry.dist.name if entry.dist is not None else "an unknown package"
            warnings.warn(
                f"the extension {entry.name!r} of {package} is left out: {_one_line(error)}",
                RuntimeWarning,
                stacklevel=2,
            )


def _line_in(path: Path, error: Exception) -> str:
    """Return ", line k" of the last line of the file that led to the error."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f", line {line}"


def _one_line(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    message = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {message}"
