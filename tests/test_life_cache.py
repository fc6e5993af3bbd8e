"""The cache of lives: what a life hangs on, and what it says where it cannot keep lives."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from robolearn import extensions
from robolearn.adaptation.life_cache import LifeCache, surroundings
from robolearn.adaptation.paired_lives import Subject
from robolearn.agents.mlp import MLP


def test_a_folder_that_cannot_be_made_is_no_file_to_delete(tmp_path: Path):
    (tmp_path / "taken").touch()
    told: list[str] = []
    LifeCache(tmp_path / "taken" / "robolearn" / "lives.sqlite", told.append)
    (line,) = told
    assert line.endswith("lives.sqlite: lives are not kept (Not a directory)")


def test_a_path_that_cannot_be_opened_is_no_file_to_delete(tmp_path: Path):
    told: list[str] = []
    LifeCache(tmp_path, told.append)
    (line,) = told
    assert line == f"{tmp_path}: lives are not kept (unable to open database file)"


def test_another_line_of_an_installed_package_is_another_life(monkeypatch, tmp_path):
    info, package = tmp_path / "legs-1.0.dist-info", tmp_path / "legs_of_mine"
    info.mkdir()
    package.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: legs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{extensions.GROUP}]\nlegs = legs_of_mine.shifts\n")
    for name in ("__init__", "shifts", "helpers"):
        (package / f"{name}.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(extensions, "_loaded", set())
    without = surroundings("quadruped", None)
    extensions.load_installed()
    found = [surroundings("quadruped", None) for _ in range(2)]
    (package / "helpers.py").write_text("STRENGTH = 2")
    found.append(surroundings("quadruped", None))
    for name in ("legs_of_mine", "legs_of_mine.shifts"):
        sys.modules.pop(name)
    assert found[0] == found[1] != found[2]
    assert without not in found


def test_another_line_of_what_an_extension_imports_is_another_life(monkeypatch, tmp_path):
    (tmp_path / "gain_of_mine.py").write_text("GAIN = 1.1")
    (tmp_path / "rule.py").write_text("from gain_of_mine import GAIN")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(extensions, "_loaded", set())
    without = surroundings("quadruped", None)
    extensions.load_extension(tmp_path / "rule.py")
    found = [surroundings("quadruped", None) for _ in range(2)]
    (tmp_path / "gain_of_mine.py").write_text("GAIN = 0.0")
    found.append(surroundings("quadruped", None))
    for name in [name for name in sys.modules if name.startswith("robolearn_extension_")]:
        sys.modules.pop(name)
    sys.modules.pop("gain_of_mine")
    assert found[0] == found[1] != found[2]
    assert without not in found


def test_whatever_tells_one_subject_from_another_makes_its_lives_others():
    mlp, genome = MLP(4, 2), np.zeros(MLP(4, 2).genome.size)
    like: dict[str, Any] = {"env_name": "quadruped", "env_options": {"clock_hz": 2.0}}
    like |= {"agent": mlp, "genome": genome, "traits": {"a": 1}}
    other = {
        "env_name": "hexapod",
        "env_options": {"clock_hz": 4.0},
        "agent": MLP(4, 3),
        "genome": genome + 1,
        "traits": {"a": 2},
    }
    digests = [Subject(**like).digest(), *(Subject(**{**like, k: other[k]}).digest() for k in like)]
    assert len(set(digests)) == 6
    assert Subject(**like).digest() == digests[0]
