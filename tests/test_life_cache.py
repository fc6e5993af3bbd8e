"""The cache of lives tells what is wrong with it, and what helps only where it does."""

from pathlib import Path

from robolearn.adaptation.life_cache import LifeCache


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
