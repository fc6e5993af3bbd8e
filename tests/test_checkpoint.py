"""Checkpoints: exact round trips, refusals in one line, and damage that is seen."""

import errno
import io
import json
import os
import pickle
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from robolearn.errors import UserError
from robolearn.tracking import checkpoint
from robolearn.tracking.checkpoint import (
    CheckpointError,
    DamagedCheckpointError,
    load_arrays,
    save_arrays,
)

ARRAYS = {
    "float64": np.array([[0.1, -0.0], [np.nan, np.inf]]),
    "float32": np.linspace(0, 1, 7, dtype=np.float32),
    "int64": np.array([-(2**63), 2**63 - 1]),
    "uint64": np.array([2**64 - 1], dtype=np.uint64),
    "bool": np.array([True, False, True]),
    "0-d": np.array(3.5),
    "empty": np.zeros((0, 3)),
    "transposed": np.arange(6).reshape(2, 3).T,
    "sliced": np.arange(10.0)[::3],
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "state.safetensors"
    save_arrays(path, ARRAYS, {"generation": 3}, "evolution")
    return path


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array_returns_with_the_same_dtype_shape_and_bytes(saved: Path, name: str) -> None:
    loaded = load_arrays(saved, "evolution")[0][name]
    assert loaded.dtype == ARRAYS[name].dtype
    assert loaded.shape == ARRAYS[name].shape
    assert loaded.tobytes() == ARRAYS[name].tobytes()
    assert loaded.flags.writeable


def test_big_endian_arrays_return_with_the_same_values(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a", {"x": np.array([1.5, -2.0], dtype=">f8")}, {}, "k")
    assert load_arrays(tmp_path / "a", "k")[0]["x"].tolist() == [1.5, -2.0]


def test_the_state_of_a_generator_and_floats_return_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    rng.standard_normal(3)
    metadata = {"rng": rng.bit_generator.state, "sigma": 0.1 + 0.2, "text": 'é"\n', "none": None}
    save_arrays(tmp_path / "a", {}, metadata, "k")
    arrays, loaded = load_arrays(tmp_path / "a", "k")
    assert loaded == metadata
    assert arrays == {}
    twin = np.random.default_rng(0)
    twin.bit_generator.state = loaded["rng"]
    assert twin.standard_normal(5).tolist() == rng.standard_normal(5).tolist()


def test_the_same_state_makes_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_arrays(tmp_path / name, ARRAYS, {"k": 1}, "evolution")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.array([1j])])
def test_arrays_that_cannot_be_held_are_refused_by_name(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(TypeError, match="array 'odd' has dtype"):
        save_arrays(tmp_path / "a", {"odd": array}, {}, "k")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("metadata", [{"a": {1: 2}}, {"a": [{2: 3}]}, {"a": np.float32(1)}])
def test_metadata_that_would_not_return_is_refused(tmp_path: Path, metadata: dict) -> None:
    with pytest.raises(TypeError):
        save_arrays(tmp_path / "a", {}, metadata, "k")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*gone.*check the path"):
        load_arrays(tmp_path / "gone", "k")


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read"):
        load_arrays(tmp_path, "k")


def test_every_truncation_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_arrays(path, {"x": np.arange(3.0)}, {"a": 1}, "evolution")
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(DamagedCheckpointError, match=r"state\.safetensors is damaged"):
            load_arrays(path, "evolution")


def test_every_flipped_byte_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_arrays(path, {"x": np.arange(3.0), "y": np.array([True])}, {"a": 1}, "evolution")
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(CheckpointError):
            load_arrays(path, "evolution")


@pytest.mark.parametrize(
    ("key", "value"), [("metadata", '{"generation": 4}'), ("sha256", "0" * 64)]
)
def test_an_edited_header_is_seen(saved: Path, key: str, value: str) -> None:
    _edit_header(saved, {key: value})
    with pytest.raises(DamagedCheckpointError, match="does not match its SHA-256"):
        load_arrays(saved, "evolution")


@pytest.mark.parametrize(
    "changed",
    [
        {"x": np.array([2.0, 1.0]), "y": np.array([1.0, 2.0])},  # swapped
        {"x": np.array([1.0, 2.0]), "z": np.array([2.0, 1.0])},  # renamed
        {"x": np.array([[1.0, 2.0]]), "y": np.array([2.0, 1.0])},  # another shape
        {"x": np.array([1.0, 2.0]).view(np.int64), "y": np.array([2.0, 1.0])},  # another dtype
        {"x": np.array([1.0, 2.0])},  # lost
    ],
)
def test_arrays_changed_under_their_header_are_seen(
    tmp_path: Path, changed: dict[str, np.ndarray]
) -> None:
    path = tmp_path / "a"
    save_arrays(path, {"x": np.array([1.0, 2.0]), "y": np.array([2.0, 1.0])}, {}, "k")
    path.write_bytes(safetensors.numpy.save(changed, metadata=_header(path)))
    with pytest.raises(DamagedCheckpointError, match="does not match its SHA-256"):
        load_arrays(path, "k")


def test_another_schema_version_is_told(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SCHEMA_VERSION", 2)
    with pytest.raises(CheckpointError, match="schema version '1', this robolearn reads 2"):
        load_arrays(saved, "evolution")


def test_another_kind_is_told(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="of kind 'evolution', expected 'agent'"):
        load_arrays(saved, "agent")


def test_foreign_safetensors_are_told(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(safetensors.numpy.save({"x": np.zeros(2)}))
    with pytest.raises(CheckpointError, match="no checkpoint of robolearn"):
        load_arrays(path, "k")


class _Bomb:
    def __reduce__(self) -> tuple:
        return (pytest.fail, ("a pickle was loaded",))


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(2))
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(_Bomb()))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (pickle.dumps(_Bomb(), protocol=2), "a pickle file"),
        (pickle.dumps(_Bomb()), "a pickle file"),
        (_zip(), "a zip or torch file"),
        (_npy(), "a NumPy file"),
    ],
)
def test_files_that_can_run_code_are_refused_and_never_loaded(
    tmp_path: Path, content: bytes, name: str
) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"model.pt is {name}, which robolearn never loads"):
        load_arrays(path, "k")


@pytest.mark.parametrize("content", [b"hello, this is text", pickle.dumps([1, 2, 3], protocol=0)])
def test_other_files_are_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        load_arrays(tmp_path / "a", "k")


def test_a_header_length_that_reads_like_a_pickle_is_still_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for length in range(600):
        save_arrays(path, {}, {"a": "x" * length}, "k")
        if path.read_bytes()[:2] == b"\x80\x02":
            break
    else:
        pytest.fail("no metadata gave a header of 640 bytes")
    assert load_arrays(path, "k")[1] == {"a": "x" * length}


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_refusing_disk_leaves_the_old_checkpoint_and_no_temporary_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    before = saved.read_bytes()

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(CheckpointError) as caught:
            save_arrays(saved, {"x": np.zeros(3)}, {}, "evolution")
    assert str(saved) in str(caught.value)
    assert os.strerror(code) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_a_disk_that_fills_within_the_file_leaves_the_old_checkpoint(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, write, free = saved.read_bytes(), os.write, [250]

    def write_a_little(descriptor: int, content: memoryview) -> int:
        if not free[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, content[: min(100, free[0])])
        free[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_a_little)
        with pytest.raises(CheckpointError, match="No space left"):
            save_arrays(saved, {"x": np.zeros(99)}, {}, "evolution")
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_a_real_limit_of_the_system_leaves_the_old_checkpoint(saved: Path) -> None:
    resource = pytest.importorskip("resource")
    before, limits = saved.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(CheckpointError, match="File too large"):
            save_arrays(saved, {"x": np.zeros(10_000)}, {}, "evolution")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_a_system_that_writes_in_small_pieces_writes_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:7]))
        save_arrays(tmp_path / "a", ARRAYS, {}, "k")
    assert load_arrays(tmp_path / "a", "k")[0].keys() == ARRAYS.keys()


def test_content_reaches_the_disk_before_its_name_and_then_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def noted(name: str) -> None:
        function = getattr(os, name)

        def call(*args: object) -> object:
            target = os.fstat(args[0]) if isinstance(args[0], int) else None
            of = "" if target is None else " folder" if stat.S_ISDIR(target.st_mode) else " file"
            calls.append(name + of)
            return function(*args)

        monkeypatch.setattr(os, name, call)

    for name in ("write", "fsync", "replace"):
        noted(name)
    save_arrays(tmp_path / "a", {"x": np.zeros(3)}, {}, "k")
    assert calls == ["write file", "fsync file", "replace", "fsync folder"]


def test_an_interrupt_within_a_save_leaves_no_temporary_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_arrays(saved, {}, {}, "evolution")
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]
    assert load_arrays(saved, "evolution")[1] == {"generation": 3}


def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"cannot make folder .*taken"):
        save_arrays(tmp_path / "taken" / "a", {}, {}, "k")


def _header(path: Path) -> dict[str, str]:
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size])["__metadata__"]


def _edit_header(path: Path, changes: dict[str, str]) -> None:
    arrays = safetensors.numpy.load(path.read_bytes())
    header = {**json.loads(_header(path)["robolearn"]), **changes}
    path.write_bytes(safetensors.numpy.save(arrays, metadata={"robolearn": json.dumps(header)}))
