"""What one individual did in one life: everything a film needs, in one small file.

A trajectory is written for every recorded life, with or without OpenGL, so that the film can be
made later and elsewhere. The file is a compressed `.npz` of plain arrays and one JSON text;
nothing in it is ever unpickled.
"""

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robolearn.errors import UserError
from robolearn.recording.brain import Brain
from robolearn.recording.whole_file import whole_file

FORMAT = "robolearn-trajectory"
FORMAT_VERSION = 3

# How the kinds of shift read in a picture; any other kind is spelled out word by word.
_TITLES = {"limb_damage": "{target} leg {value}", "motor_gain": "{target} motors × {value}"}


@dataclass(frozen=True)
class ShiftEvent:
    """One change of body, world or senses during the life.

    `spec` is the text of the command line (`limb_damage:front_left:dead@5s`), `onset_s` and
    `end_s` bound it in seconds of the life (`end_s=None`: to the end of it), `legs` and `bodies`
    name the damaged limbs and the MJCF bodies to colour (both may be empty).
    """

    spec: str
    onset_s: float
    end_s: float | None = None
    legs: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """A few words for people: `front left leg dead`."""
        kind, *details = self.spec.split("@")[0].split(":")
        details = [detail.replace("_", " ") for detail in details]
        if kind in _TITLES and len(details) >= 2:
            return _TITLES[kind].format(target=details[0], value=" ".join(details[1:]))
        return " ".join([kind.replace("_", " "), *details])

    def is_active(self, time_s: float) -> bool:
        """Whether the shift holds at `time_s` seconds of the life."""
        return self.onset_s <= time_s and (self.end_s is None or time_s < self.end_s)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The states of one individual at T consecutive control steps.

    Row k is `start_s` + k * `control_step_s` seconds into its life.

    `qpos` (T, nq) is in MuJoCo's units (m, rad, unit quaternions), `speed` (T,) is what `measure`
    names with its unit, usually in m/s. `reward` (T,) is per control step. The last row is that of
    the last frame asked for, or of the end of the life. `mocap_pos` (T, nmocap, 3) in m holds the
    places of moved scenery, where a world has some, `brain` what went on in the brain, where that
    was asked for. Raises ValueError when the shapes do not agree.
    """

    world: str  # environment id, as `robolearn/Quadruped-v0`
    control_step_s: float
    qpos: NDArray[np.floating]
    speed: NDArray[np.floating]
    reward: NDArray[np.floating]
    shifts: tuple[ShiftEvent, ...] = ()
    seed: int = 0
    agent: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    mocap_pos: NDArray[np.floating] | None = None
    measure: tuple[str, str] = ("speed", "m/s")
    start_s: float = 0.0
    brain: Brain | None = None

    def __post_init__(self) -> None:
        if self.qpos.ndim != 2 or len(self.qpos) == 0:
            raise ValueError(f"qpos must be (T, nq) with T > 0, got {self.qpos.shape}")
        for name in ("speed", "reward"):
            shape = getattr(self, name).shape
            if shape != (len(self),):
                raise ValueError(f"{name} must be ({len(self)},) like qpos, got {shape}")
        if self.mocap_pos is not None and (
            self.mocap_pos.ndim != 3 or self.mocap_pos.shape[::2] != (len(self), 3)
        ):
            raise ValueError(
                f"mocap_pos must be ({len(self)}, nmocap, 3), got {self.mocap_pos.shape}"
            )
        if not self.control_step_s > 0:
            raise ValueError(f"control_step_s must be above 0, got {self.control_step_s}")

    def __len__(self) -> int:
        return len(self.qpos)

    @property
    def duration_s(self) -> float:
        """Length of what is recorded, in seconds."""
        return len(self) * self.control_step_s

    def time_s(self, step: int) -> float:
        """The seconds of the life at control step `step` of the recording."""
        return self.start_s + step * self.control_step_s

    def mocap_at(self, step: int) -> NDArray[np.floating] | None:
        """The places (nmocap, 3) of moved scenery at control step `step`, if there is any."""
        return None if self.mocap_pos is None else self.mocap_pos[step]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to `path` (`.npz`), whole or not at all; returns the path.

        Raises UserError when the file cannot be written.
        """
        path = Path(path)
        about = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "world": self.world,
            "control_step_s": float(self.control_step_s),
            "shifts": [asdict(shift) for shift in self.shifts],
            "seed": int(self.seed),
            "agent": self.agent,
            "versions": dict(self.versions),
            "measure": list(self.measure),
            "start_s": float(self.start_s),
            "brain": None if self.brain is None else self.brain.description(),
        }
        arrays = {name: getattr(self, name) for name in ("qpos", "speed", "reward")}
        if self.mocap_pos is not None:
            arrays["mocap_pos"] = self.mocap_pos
        if self.brain is not None:
            arrays |= self.brain.arrays()
        text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
        content = io.BytesIO()
        np.savez_compressed(content, about=text, **arrays)
        with whole_file("trajectory", path) as partial:
            partial.write_bytes(content.getvalue())
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Trajectory":
        """Read what `save` wrote.

        Raises UserError when the file is missing, broken, not a trajectory, or holds Python
        objects (which are never unpickled).
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(f"trajectory {str(path)!r}: no such file")
        try:
            with np.load(path, allow_pickle=False) as content:
                about = json.loads(content["about"].tobytes())
                arrays = {name: content[name] for name in content.files if name != "about"}
            if about["format"] != FORMAT:
                raise ValueError(f"its format is {about['format']!r}")
            if about["format_version"] > FORMAT_VERSION:
                raise ValueError(
                    f"format version {about['format_version']} is newer than {FORMAT_VERSION}, "
                    "the newest that this robolearn reads"
                )
            arrays.pop("alive", None)  # older files say of every step that the life goes on
            # Files of the first version know of neither start nor brain.
            brain = about.get("brain")
            return cls(
                world=str(about["world"]),
                control_step_s=float(about["control_step_s"]),
                shifts=tuple(_shift_from_json(shift) for shift in about["shifts"]),
                seed=int(about["seed"]),
                agent=str(about["agent"]),
                versions={str(key): str(value) for key, value in about["versions"].items()},
                measure=_measure_from_json(about),
                start_s=float(about.get("start_s", 0.0)),
                brain=None if brain is None else Brain.take_from(brain, arrays),
                **arrays,
            )
        # A truncated or foreign archive fails in as many ways as there are layers below.
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            OSError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise UserError(
                f"trajectory {str(path)!r} cannot be read ({error}): it must be a .npz that "
                "robolearn wrote"
            ) from error


def _measure_from_json(about: Mapping) -> tuple[str, str]:
    name, unit = about.get("measure", ("speed", "m/s"))  # older files know of speeds alone
    return str(name), str(unit)


def _shift_from_json(content: Mapping) -> ShiftEvent:
    end_s = content["end_s"]
    return ShiftEvent(
        spec=str(content["spec"]),
        onset_s=float(content["onset_s"]),
        end_s=None if end_s is None else float(end_s),
        legs=tuple(str(leg) for leg in content["legs"]),
        bodies=tuple(str(body) for body in content["bodies"]),
    )
