"""On what a figure was measured: versions and machine, and whether the machine was at rest."""

import os

from robolearn.simulation import available_cores
from robolearn.tracking.provenance import describe_commit, describe_machine, describe_software

_STAMPED = ("robolearn", "python", "mujoco", "gymnasium", "numba", "numpy", "stable-baselines3")


def describe_surroundings() -> str:
    """Return versions, commit and machine in one line."""
    versions = describe_software()
    parts = [f"{name} {versions[name]}" for name in _STAMPED if versions[name]]
    commit = describe_commit()
    if commit:
        parts.insert(1, f"commit {commit['commit'][:8]}{' with changes' * commit['changed']}")
    machine = describe_machine()
    return ", ".join([*parts, machine["machine"], f"{available_cores()} cores"])


def warn_if_busy() -> str | None:
    """Return a warning if other programs use the machine, as far as the system tells."""
    if not hasattr(os, "getloadavg"):
        return None
    load, cores = os.getloadavg()[0], available_cores()
    if load < 0.5 * cores:
        return None
    return (
        f"The machine is busy (load {load:.1f} on {cores} cores): ratios of a median still tell "
        "something, absolute figures do not."
    )
