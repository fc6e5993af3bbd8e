"""One life that goes on for as long as somebody watches, in a body that changes on demand."""

from collections import deque
from collections.abc import Iterator

import numpy as np

from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.recording import ShiftEvent
from robolearn.shifts.limb_damage import MODES
from robolearn.shifts.shift import Shift, make_shift
from robolearn.worlds import World
from robolearn.zoo import Policy, TrainedAgent

SMOOTHING_S = 0.5  # the speed shown is the mean over this time

_EVERYONE = np.array([0])


class WatchedLife:
    """One individual, its brain, and the shifts that somebody puts on it and takes away.

    Attributes:
        trained: the agent.
        env: its body.
        seed: of the present life.
        ended: whether the life is over, by a fall, say; then `restart`.
        log: what happened in all lives so far: (s of the life, a few words).
    """

    def __init__(self, trained: TrainedAgent, seed: int = 0) -> None:
        self.trained = trained
        self.env = RobotVectorEnv(
            trained.env_name, 1, autoreset_mode="Disabled", **trained.env_options
        )
        self.seed = seed
        self.ended = False
        self.log: list[tuple[float, str]] = []
        self._policy = Policy(trained)
        self._ends: dict[Shift, int] = {}  # of shifts that pass by themselves: control step
        self._recent: deque[float] = deque(
            maxlen=max(1, round(SMOOTHING_S / self.env.world.control_step_s))
        )
        self.restart(seed)

    @property
    def world(self) -> World:
        """The compiled scene."""
        return self.env.world

    @property
    def step_s(self) -> float:
        """Duration of a control step, s."""
        return self.world.control_step_s

    @property
    def steps(self) -> int:
        """Control steps lived."""
        return int(self.env.steps[0])

    @property
    def time_s(self) -> float:
        """Seconds lived."""
        return self.steps * self.step_s

    @property
    def speed(self) -> float:
        """What the task measures, such as the forward speed in m/s, mean of the last half second.

        0 once the life has ended.
        """
        return 0.0 if self.ended or not self._recent else float(np.mean(self._recent))

    @property
    def active(self) -> tuple[ShiftEvent, ...]:
        """The shifts that act now, oldest first."""
        return tuple(
            ShiftEvent(one.shift.label, one.onset_step * self.step_s)
            for one in self.env.schedule.active[0]
        )

    def restart(self, seed: int | None = None) -> None:
        """Begin a new life in a sound body, with `seed` or the one after the last."""
        self.seed = self.seed + 1 if seed is None else seed
        observation, _ = self.env.reset(seed=[self.seed])
        self._policy.reset(self.seed)
        self._observation, self._reward, self._info = observation, np.zeros(1), {}
        self._ends.clear()
        self._recent.clear()
        self.ended = False
        self._note(f"life {self.seed} begins")

    def step(self) -> None:
        """Live one control step; nothing happens once the life has ended."""
        if self.ended:
            return
        for shift in [shift for shift, end in self._ends.items() if end <= self.steps]:
            self.end(shift)
        action = self._policy(self._observation, self._reward, self._info)
        self._observation, self._reward, terminated, truncated, self._info = self.env.step(action)
        self._recent.append(float(self.env.task.performance()[0]))
        if terminated[0] or truncated[0]:
            self.ended = True
            self._note("the life ended: it fell" if terminated[0] else "the life is complete")

    def begin(self, shift: Shift) -> None:
        """Put `shift` on the body now, in place of those that it contradicts."""
        if shift in self.env.schedule.shifts_of(0):
            return
        for other in self.env.schedule.shifts_of(0):
            if shift.contradicts(other, self.world):
                self.end(other)
        self.env.schedule.begin(shift, _EVERYONE, self.steps, self.seed)
        lasts_s = shift.lasts_s(self.world)
        if np.isfinite(lasts_s):
            self._ends[shift] = self.steps + max(1, round(lasts_s / self.step_s))
        self._note(f"{_title(shift)} begins")

    def end(self, shift: Shift) -> None:
        """Take `shift` away; the body is as if it had never been."""
        if shift not in self.env.schedule.shifts_of(0):
            return
        self._ends.pop(shift, None)
        self.env.schedule.end(shift, _EVERYONE)
        self._note(f"{_title(shift)} ends")

    def heal(self, leg: str) -> None:
        """Take every damage of `leg` away."""
        for shift in self.env.schedule.shifts_of(0):
            if leg in shift.legs(self.world):
                self.end(shift)

    def leg_shifts(self) -> Iterator[tuple[str, str, Shift]]:
        """Yield (leg, mode, shift) for every damage that the legs of this body can take."""
        if "limb_damage" not in self.world.definition.get("shifts", []):
            return
        for leg in self.world.legs:
            for mode in MODES:
                try:
                    yield leg, mode, make_shift("limb_damage", self.world, leg=leg, mode=mode)
                except UserError:  # this body's legs cannot be hurt in this way
                    continue

    def other_shifts(self) -> Iterator[tuple[str, Shift]]:
        """Yield (title, shift) of every other kind that applies to the body, with its defaults."""
        for kind in self.world.definition.get("shifts", []):
            if kind == "limb_damage":
                continue
            try:
                shift = make_shift(kind, self.world)
                shift.check_interface(self.env.task.interface)
            except UserError:  # it has no default that fits
                continue
            yield _title(shift), shift

    def _note(self, words: str) -> None:
        self.log.append((self.time_s, words))


def _title(shift: Shift) -> str:
    return ShiftEvent(shift.label, 0.0).title
