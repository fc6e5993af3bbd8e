"""A wheeled robot in a maze whose arms pay differently, and not the same for the whole life.

The task of Soltoggio et al. 2008 (Evolutionary advantages of neuromodulated plasticity in dynamic,
reward-based scenarios), on a robot as in Blynel & Floreano 2003. The maze is that of the scene: its
arms are the places that `arms` names, so that other mazes need no Python.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import mujoco
import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from robolearn.envs.reward_law import RewardLaw
from robolearn.envs.task import ObservationSlice, Task
from robolearn.envs.wheeled_body import WHEELS, WheeledBody
from robolearn.errors import UserError, unknown_name
from robolearn.shifts.rewarded_side import MIRRORED, OWN
from robolearn.simulation import Ids, Simulation
from robolearn.worlds import World

_NO_ARM = -1


@dataclass(frozen=True)
class TMazeParameters:
    """Parameters of `TMaze`.

    Attributes:
        trials: in a life; after the last one the life is truncated.
        trial_s: a trial that lasts longer, s, ends without reward; a life of such trials alone
            lasts trials × trial_s, which `max_episode_steps` should allow.
        arms: places of the scene that pay, numbered from 0, from the left.
        switch_trials: first and last trial, counted from 0, of the window in which the pay moves to
            another arm, drawn uniformly; null: never, but by the shift `rewarded_side`.
        first_side: arm that pays at first; null: drawn for every life.
        probability: with which the paying arm pays 1; another arm pays 1 with 1 − this.
        low_reward: what an arm pays otherwise.
        cue: "none"; or "delayed": at the beginning of a trial a light shows one of the arms, drawn
            anew in each. The paying arm is then so many arms after the lit one as without cues it
            is after arm 0: what changes in mid-life is the meaning of the lights.
        cue_s: how long the light is on, s.
        homing: whether a trial ends only when the robot is back at its start.
        start_noise: half width of the uniform noise on the start's x and y, m.
        heading_noise: half width of the uniform noise on the start's heading, rad.
        beams_deg: angles of the range sensors to the heading, from the left, degrees.
        range_limit: greatest reading, m.
        heading: whether sin and cos of the heading are observed.
    """

    trials: Annotated[int, Interval(ge=1, le=10_000)] = 60
    trial_s: Annotated[float, Interval(gt=0, le=1000)] = 5.0
    arms: tuple[str, ...] = ("left", "right")
    switch_trials: tuple[int, int] | None = (20, 40)
    first_side: Annotated[int, Interval(ge=0)] | None = None
    probability: Annotated[float, Interval(ge=0.5, le=1)] = 1.0
    low_reward: Annotated[float, Interval(ge=-1, lt=1)] = 0.2
    cue: Literal["none", "delayed"] = "none"
    cue_s: Annotated[float, Interval(gt=0, le=1000)] = 0.5
    homing: bool = False
    start_noise: Annotated[float, Interval(ge=0, le=1)] = 0.02
    heading_noise: Annotated[float, Interval(ge=0, le=3.2)] = 0.1
    beams_deg: tuple[Annotated[float, Interval(ge=-180, le=180)], ...] = (
        *(90.0, 45.0, 20.0, 0.0),
        *(-20.0, -45.0, -90.0),
    )
    range_limit: Annotated[float, Interval(gt=0, le=100)] = 1.0
    heading: bool = False

    def __post_init__(self) -> None:
        if len(self.arms) < 2:
            raise UserError(f"arms must name at least two places, got {list(self.arms)}")
        if len(set(self.arms)) < len(self.arms):
            raise UserError(f"arms must be different places, got {list(self.arms)}")
        if self.first_side is not None and self.first_side >= len(self.arms):
            raise UserError(f"first_side must be below {len(self.arms)}, got {self.first_side}")
        if not self.beams_deg:
            raise UserError("beams_deg must hold at least one angle")
        if self.switch_trials is not None:
            first, last = self.switch_trials
            if not 0 <= first <= last < self.trials:
                raise UserError(
                    f"switch_trials must be a first and a last trial from 0 to "
                    f"{self.trials - 1}, got {list(self.switch_trials)}"
                )


class TMaze(Task):
    """Find out which arm pays, drive there again and again, and notice when it no longer does.

    A life is a series of trials. The step in which the robot reaches an arm pays and ends the trial
    (with `homing`, its return to the start ends it); the robot is then carried back to the start,
    while its brain goes on. `info` tells of every step: `trial`, `trial_end`, `chosen` (arm reached
    in this trial, −1 for none yet), `rewarded` (arm that pays in this trial), `food` (what was
    paid), `timeout`, `touching`, `context` (the arm that the cue shows), and `trial_score` (1 if
    the trial ends in this step and the rewarded arm was reached).

    Actions:
        Wanted speeds of the left and the right wheel's rim, from full speed back to full speed
        ahead.

    Observations:
        range: from the robot's rim to the nearest wall along every beam.
        wheel_speed: of the two rims over the ground.
        food: what was paid in the last step.
        cue: 1 for the arm whose light is on; only with cue "delayed".
        heading: sin and cos of the angle to the stem; only with `heading`.

    Rewards:
        food: what the reached arm pays: 1 or `low_reward`.
        touching: 1 while the robot touches a wall.
        timeout: 1 in the step that ends a trial for want of time.

    Starts:
        In the middle of the place `start`, looking along the stem, with uniform noise on place and
        heading; so does every trial.

    Ends:
        After the last trial (truncated), or if the physics diverges.
    """

    name: ClassVar[str] = "tmaze"
    has_trials = True
    reward_names: ClassVar[tuple[str, ...]] = ("food", "touching", "timeout")
    parameters_type: ClassVar[type] = TMazeParameters
    performance_name: ClassVar[str] = "food"
    performance_unit: ClassVar[str] = "1/trial"
    trial_score_name: ClassVar[str] = "share of trials in which the rewarded arm was reached"
    protocol: ClassVar[str] = "reversal"
    parameters: TMazeParameters

    def __init__(
        self, simulation: Simulation, rewards: dict[str, float], parameters: TMazeParameters
    ):
        super().__init__(simulation, rewards, parameters)
        n, world, arms = simulation.n, simulation.world, len(parameters.arms)
        self.robot = WheeledBody(simulation)
        self.law = RewardLaw(
            arms,
            parameters.trials,
            parameters.switch_trials,
            parameters.probability,
            parameters.low_reward,
            parameters.cue != "none",
            parameters.first_side,
        )
        self._beams = np.deg2rad(parameters.beams_deg)
        self._arms = np.stack([_place(world, arm) for arm in parameters.arms])  # (A, 4)
        self._start = _place(world, "start")
        if parameters.start_noise > self._start[2:].min():
            raise UserError(
                f"start_noise = {parameters.start_noise}: expected at most "
                f"{self._start[2:].min():g} m, half the side of the start of {world.name}"
            )
        self.trial_steps = max(1, round(parameters.trial_s / world.control_step_s))
        self._cue_steps = max(1, round(parameters.cue_s / world.control_step_s))
        self.arrays = {
            "rewarded_side": np.full(n, OWN),  # the law's own, its mirror image, or an arm
            "arms": np.full(n, arms),
        }
        self._side = np.zeros(n, np.int64)  # s of the law
        self._time = simulation.read("time")
        self._time_before = np.zeros(n)
        # Drawn for a life
        shape = (n, parameters.trials)
        self._displaced = np.zeros(shape, np.int64)
        self._cues = np.zeros(shape, np.int64)
        self._luck = np.zeros(shape)
        self._starts = np.zeros((*shape, 3))
        # Where a life stands
        self._row = np.arange(n)
        self._trial = np.zeros(n, np.int64)
        self._step_of_trial = np.zeros(n, np.int64)
        self._fed_at = np.full(n, _NO_ARM)  # arm reached in this trial
        self._sense = np.zeros(n)  # food of the last step, as the robot feels it
        # What the last step brought
        self._lived = np.zeros(n, np.bool_)
        self._chosen = np.full(n, _NO_ARM)
        self._food = np.zeros(n)
        self._timeout = np.zeros(n, np.bool_)
        self._trial_end = np.zeros(n, np.bool_)
        self.observation_slices = self._slices()

    @property
    def action_size(self) -> int:
        """Two wheels."""
        return len(WHEELS)

    def reset(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Draw the law, then place and heading of all trials: uniform(trials, 3)."""
        trials, noise = self.parameters.trials, self.parameters
        scale = [noise.start_noise, noise.start_noise, noise.heading_noise]
        for i, rng in zip(ids, rngs, strict=True):
            self._side[i], self._displaced[i], self._cues[i], self._luck[i] = self.law.draw(rng)
            self._starts[i] = scale * rng.uniform(-1, 1, (trials, 3))
        self._starts[ids, :, :2] += self._start[:2]
        for array in (self._trial, self._step_of_trial, self._sense, self._food):
            array[ids] = 0
        for flag in (self._timeout, self._trial_end):
            flag[ids] = False
        self._fed_at[ids] = self._chosen[ids] = _NO_ARM
        self.simulation.reset(ids, self._starts[ids, 0], np.zeros((len(ids), 3)))
        self._time_before[ids] = self._time[ids]

    def control(self, action: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the wanted rim speeds, m/s, and nothing for the tyres: (n, nu)."""
        return self.robot.command(action)

    def before_step(self) -> None:
        """Note the time, which stands still for those who rest."""
        self._time_before[:] = self._time

    def observe(self) -> NDArray[np.float32]:
        """Return (n, o) in the order of `observation_slices`."""
        robot, parameters = self.robot, self.parameters
        out = np.empty((self.simulation.n, self.observation_size), np.float32)
        beams = len(self._beams)
        out[:, :beams] = robot.ranges(self._beams, parameters.range_limit)
        out[:, beams : beams + 2] = robot.wheel_speeds()
        out[:, beams + 2] = self._sense
        end = beams + 3
        if self.law.cued:
            is_on = self._step_of_trial < self._cue_steps
            lit = self._cues[self._row, self._trial][:, None] == np.arange(self.law.arms)
            out[:, end : end + self.law.arms] = lit & is_on[:, None]
            end += self.law.arms
        if parameters.heading:
            out[:, end] = np.sin(robot.pose[:, 2])
            out[:, end + 1] = np.cos(robot.pose[:, 2])
        return out

    def rewarded_arm(self) -> NDArray[np.int64]:
        """Return the arm that pays in the present trial, (n,)."""
        arms, shifted = self.law.arms, self.arrays["rewarded_side"]
        side = (self._side + self._displaced[self._row, self._trial]) % arms
        side = np.where(shifted == MIRRORED, arms - 1 - side, side)
        side = np.where(shifted >= 0, shifted, side)
        return (side + self._cues[self._row, self._trial]) % arms

    def reward_terms(self, action: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        """Judge the step; return the terms of the class docstring, (n,) each."""
        self._lived = (self._time != self._time_before) & ~self.simulation.unstable
        inside = _inside(self.robot.pose, self._arms)  # (n, A)
        arrived = self._lived & (self._fed_at == _NO_ARM) & inside.any(axis=1)
        self._chosen = np.where(arrived, inside.argmax(axis=1), self._fed_at)
        has_luck = self._luck[self._row, self._trial] < self.law.probability
        is_paid = (self._chosen == self.rewarded_arm()) == has_luck
        self._food = np.where(arrived, np.where(is_paid, 1.0, self.law.low), 0.0)
        finished = arrived
        if self.parameters.homing:
            is_home = _inside(self.robot.pose, self._start[None])[:, 0]
            finished = self._lived & (self._fed_at != _NO_ARM) & is_home
        late = self._step_of_trial + 1 >= self.trial_steps
        self._timeout = self._lived & ~finished & late
        self._trial_end = finished | self._timeout
        return {
            "food": self._food.copy(),
            "touching": self.robot.touching().astype(np.float64),
            "timeout": self._timeout.astype(np.float64),
        }

    def terminated(self) -> NDArray[np.bool_]:
        """Return who diverged, (n,)."""
        return self.simulation.unstable.copy()

    def completed(self) -> NDArray[np.bool_]:
        """Return whose last trial has ended, (n,)."""
        return self._trial_end & (self._trial == self.parameters.trials - 1)

    def performance(self) -> NDArray[np.float64]:
        """Return the food of the last step times the steps that a trial may take, (n,).

        So its mean over a life of trials × trial_s is the mean food of a trial; over a shorter time
        it is the food in as much time as a trial may take, and who drives faster gets more.
        """
        return self._food * self.trial_steps

    def info(self) -> dict[str, NDArray]:
        """Return what the class docstring lists, (n,) each."""
        rewarded = self.rewarded_arm()
        right = self._trial_end & ~self._timeout & (self._chosen == rewarded)
        return {
            "trial": self._trial.copy(),
            "trial_end": self._trial_end.copy(),
            "trial_score": right.astype(np.float64),
            "chosen": self._chosen.copy(),
            "rewarded": rewarded,
            "food": self._food.copy(),
            "timeout": self._timeout.copy(),
            "touching": self.robot.touching() & self._lived,
            "context": self._cues[self._row, self._trial],
        }

    def after_step(self, ids: Ids | None) -> None:
        """Carry back to the start who has ended a trial that was not the last."""
        lived = self._lived
        np.copyto(self._sense, self._food, where=lived)
        np.copyto(self._fed_at, self._chosen, where=lived)
        self._step_of_trial += lived
        begins = np.flatnonzero(self._trial_end & ~self.completed())
        if len(begins):
            self._trial[begins] += 1
            self._step_of_trial[begins] = 0
            self._fed_at[begins] = _NO_ARM
            self.robot.carry(begins, self._starts[begins, self._trial[begins]])

    def _slices(self) -> tuple[ObservationSlice, ...]:
        parameters = self.parameters
        beams = tuple(f"robot, {angle:+g}°" for angle in parameters.beams_deg)
        slices = [
            ObservationSlice("range", len(beams), "m", 0.5 * parameters.range_limit, beams),
            ObservationSlice("wheel_speed", 2, "m/s", self.robot.top_speed, WHEELS),
            ObservationSlice("food", 1, "1", 1.0, ("robot",), is_event=True),
        ]
        if self.law.cued:
            slices.append(
                ObservationSlice("cue", self.law.arms, "1", 1.0, parameters.arms, is_event=True)
            )
        if parameters.heading:
            slices.append(ObservationSlice("heading", 2, "1", 1.0, ("sin yaw", "cos yaw")))
        return tuple(slices)


def _place(world: World, name: str) -> NDArray[np.float64]:
    """Return centre and half widths (x, y, half x, half y) in m of a place of the scene.

    Raises:
        UserError: there is none of that name.
    """
    model = world.model
    boxes = np.flatnonzero(model.site_type == mujoco.mjtGeom.mjGEOM_BOX)
    places = {model.site(int(i)).name: i for i in boxes}
    if name not in places:
        raise UserError(f"env {world.name}: tmaze: {unknown_name('place', name, places)}")
    site = places[name]
    return np.concatenate((model.site_pos[site, :2], model.site_size[site, :2]))


def _inside(pose: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether the robots (n, 3) stand on each of the places (p, 4), (n, p)."""
    offset = np.abs(pose[:, None, :2] - places[:, :2])  # (n, p, 2)
    return (offset[..., 0] <= places[:, 2]) & (offset[..., 1] <= places[:, 3])
