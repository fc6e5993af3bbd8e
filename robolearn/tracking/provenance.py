"""Where a result came from: versions of the software, the machine, the commit of the checkout."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

_PACKAGES = (
    *("robolearn", "mujoco", "gymnasium", "numpy", "numba", "scipy", "torch"),
    *("stable-baselines3", "safetensors", "wandb"),
)
_CHECKOUT = Path(__file__).resolve().parent.parent.parent


def describe_software() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that results depend on; None if absent.

    Reads the metadata of the installed packages and imports none of them.
    """
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        versions[package] = None
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def describe_machine() -> dict[str, Any]:
    """Return the operating system, the architecture and the number of CPUs."""
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
    }


def describe_commit(checkout: Path = _CHECKOUT) -> dict[str, Any] | None:
    """Return `{"commit": hash, "changed": bool}` of the checkout the package runs from.

    None if the package is installed elsewhere, or git is not there to ask. `changed` says that
    tracked files differ from the commit.
    """
    # Only the folder beside the package counts: an environment may lie in a foreign checkout.
    if not (checkout / ".git").exists():
        return None
    commit = _ask_git(checkout, "rev-parse", "HEAD")
    status = _ask_git(checkout, "status", "--porcelain", "--untracked-files=no")
    if not commit or status is None:
        return None
    return {"commit": commit, "changed": bool(status)}


def _ask_git(checkout: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(checkout), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            # `git status` would otherwise take the index lock from under the user's own git.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
