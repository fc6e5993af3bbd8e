"""Imports run one way, so that a brain never learns which body it lives in."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "robolearn"

# A part may import itself and the parts named here, directly or lazily; nothing else of ours.
BELOW = {
    "errors": set(),
    "schema": {"errors"},
    "definitions": {"errors"},
    "extensions": {"errors"},
    "worlds": {"errors", "definitions", "schema"},
    "simulation": {"errors", "worlds"},
    "shifts": {"errors", "simulation", "worlds"},
    "recording": {"errors"},
    "envs": {
        "errors", "schema", "definitions", "worlds", "simulation", "shifts", "recording",
    },
    "neurons": {"errors"},
    "plasticity": {"errors", "neurons"},
    "agents": {"errors", "schema", "definitions", "neurons", "plasticity"},
    "lifetime": {"agents", "envs"},
    "learning": {"errors", "schema", "shifts", "agents", "envs", "lifetime"},
    "tracking": {"errors"},
    "adaptation": {
        "errors", "schema", "definitions", "agents", "envs", "shifts", "worlds", "lifetime",
        "learning", "tracking", "extensions",
    },
    "report": {"errors", "adaptation"},
}  # fmt: skip
# What stands on top may import everything below it.
ON_TOP = {
    "config",
    "sections",
    "zoo",
    "training",
    "tuning",
    "filming",
    "evaluating",
    "comparing",
    "reporting",
    "mirroring",
    "listing",
    "exits",
    "bench",
    "watching",
    "cli",
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """Return the parts of robolearn that a file imports anywhere in it."""
    parts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "robolearn":
                names = [f"robolearn.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("robolearn."):
                parts.add(name.split(".")[1])
    return parts


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_point_downwards(path):
    part = part_of(path)
    if part in ON_TOP or path == PACKAGE / "__init__.py":
        return
    assert part in BELOW, f"{part} has no place in the import order"
    assert imported_parts(path) - {part} <= BELOW[part]


def test_only_the_simulation_imports_mujoco_batch():
    users = [
        part_of(path)
        for path in modules()
        if "mujoco.batch" in path.read_text(encoding="utf-8").replace("`mujoco.batch`", "")
        and part_of(path) != "bench"
    ]
    assert set(users) <= {"simulation"}


def test_every_part_is_named_once():
    assert not ON_TOP & set(BELOW)
    assert {part_of(p) for p in modules()} - {"__init__"} <= ON_TOP | set(BELOW)
