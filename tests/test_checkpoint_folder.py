"""The folder of checkpoints: the last two, and what it does when one is damaged."""

import errno
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from robolearn.tracking.checkpoint import (
    CheckpointError,
    CheckpointFolder,
    DamagedCheckpointError,
)


def _save(folder: CheckpointFolder, *steps: int) -> None:
    for step in steps:
        folder.save(step, {"x": np.full(4, step)}, {"step_is": step})


def _latest_step(folder: CheckpointFolder) -> int:
    latest = folder.latest()
    assert latest is not None
    step, arrays, metadata = latest
    assert arrays["x"].tolist() == [step] * 4
    assert metadata == {"step_is": step}
    return step


def test_a_folder_keeps_the_last_two(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    _save(folder, 1, 2, 30, 400)
    assert folder.steps() == [30, 400]
    assert _latest_step(folder) == 400


def test_a_folder_without_checkpoints_has_no_latest(tmp_path: Path) -> None:
    assert CheckpointFolder(tmp_path).latest() is None
    assert CheckpointFolder(tmp_path / "missing").latest() is None


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    _save(folder, 1, 2, 2)
    assert folder.steps() == [1, 2]


def test_steps_beyond_twelve_digits_stay_in_order(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    _save(folder, 999_999_999_999, 1_000_000_000_000)
    assert _latest_step(folder) == 1_000_000_000_000


def test_a_run_that_went_back_drops_the_later_steps(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    _save(folder, 10, 20, 15)
    assert folder.steps() == [10, 15]
    assert _latest_step(folder) == 15


def test_a_failed_save_leaves_both_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CheckpointFolder(tmp_path)
    _save(folder, 10, 20)

    def refuse(descriptor: int, content: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        with pytest.raises(CheckpointError, match="No space left"):
            _save(folder, 5)
    assert folder.steps() == [10, 20]
    assert _latest_step(folder) == 20


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_a_truncated_newest_checkpoint_falls_back_with_a_warning(tmp_path: Path, size: int) -> None:
    folder = CheckpointFolder(tmp_path)
    _save(folder, 10, 20)
    newest = tmp_path / "step_000000000020.safetensors"
    newest.write_bytes(newest.read_bytes()[:size])
    with pytest.warns(RuntimeWarning, match=r"step_0+20\.safetensors is damaged.*using step_0+10"):
        assert _latest_step(folder) == 10
    _save(folder, 15, 17)
    assert _latest_step(folder) == 17
    assert folder.steps() == [15, 17]


def test_a_damaged_checkpoint_is_told_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    _save(CheckpointFolder(tmp_path), 10, 20)
    (tmp_path / "step_000000000020.safetensors").write_bytes(b"")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):  # to see whether a run is finished, and to go on with it
            assert _latest_step(CheckpointFolder(tmp_path)) == 10
    assert len(told) == 1


def test_when_all_are_damaged_the_run_does_not_silently_begin_anew(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    _save(folder, 10, 20)
    for file in tmp_path.iterdir():
        file.write_bytes(b"")
    with pytest.raises(DamagedCheckpointError, match=r"step_0+20"):
        folder.latest()


def test_stray_files_are_ignored_and_stray_temporaries_removed(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    _save(folder, 10)
    stray = tmp_path / ".step_000000000099.safetensors.abcd.tmp"
    stray.write_bytes(b"half a checkpoint")
    for name in ("step_99.safetensors", "notes.txt", "step_000000000099.safetensors.bak"):
        (tmp_path / name).write_text("mine")
    assert _latest_step(folder) == 10
    _save(folder, 20)
    assert not stray.exists()
    assert (tmp_path / "notes.txt").exists()


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    _save(CheckpointFolder(tmp_path, kind="evolution"), 1)
    with pytest.raises(CheckpointError, match="of kind 'evolution', expected 'drl'"):
        CheckpointFolder(tmp_path, kind="drl").latest()
