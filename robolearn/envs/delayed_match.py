"""Answer with a lever whether two cues, shown one after the other, were the same.

Delayed (non-)match to sample, the classical test of working memory, with the times of Miconi 2017
(eLife, "Biologically plausible learning in recurrent neural networks reproduces neural dynamics
observed during cognitive tasks"). The body is pinned until it may answer: only the brain can hold
the first cue over the delay.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import mujoco
import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from robolearn.envs.task import ObservationSlice, Task
from robolearn.errors import UserError
from robolearn.shifts import counter_random
from robolearn.shifts.rewarded_side import MIRRORED, OWN
from robolearn.simulation import Ids, Simulation

CUES = ("cue_a", "cue_b")
# Purposes of the draws of a life; each has its own key.
_CUE, _START = (np.uint64(k * 0x632BE59BD9B4E019 % 2**64) for k in (1, 2))
# What is not to be seen waits under the table.
_HIDDEN_M = 0.2

Seconds = Annotated[float, Interval(ge=0.001, le=60)]


@dataclass(frozen=True)
class DelayedMatchParameters:
    """Parameters of `DelayedMatch`.

    Attributes:
        rule: "non_match": push to the right if the cues differ, to the left if they are the same;
            "match": the other way round. The shift `rewarded_side` reverses it.
        cue_s: how long each cue is shown, s.
        delay_s: from the end of the first cue, the sample, to the second, the test, s.
        hold_s: from the end of the second cue to the moment the lever is free, s.
        window_s: how long the lever is free, up to the end of the trial, s.
        judged_s: the last part of the window, in which the answer is read, s.
        mark_rad: angle of the marks to which the lever is to be pushed, rad.
        start_noise: half width of the uniform noise on the angle at which the lever is held, rad.
    """

    rule: Literal["non_match", "match"] = "non_match"
    cue_s: Seconds = 0.2
    delay_s: Seconds = 0.2
    hold_s: Annotated[float, Interval(ge=0, le=60)] = 0.0
    window_s: Seconds = 0.4
    judged_s: Seconds = 0.2
    mark_rad: Annotated[float, Interval(ge=0.01, le=0.5)] = 0.3
    start_noise: Annotated[float, Interval(ge=0, le=0.1)] = 0.01

    def __post_init__(self) -> None:
        if self.judged_s > self.window_s:
            raise UserError(
                f"judged_s = {self.judged_s}: expected at most window_s = {self.window_s}"
            )


class DelayedMatch(Task):
    """Hold a cue in mind, and push a lever to the side that the second cue makes right.

    A life is a series of trials: sample, delay, test, hold, window. Until the window the lever is
    pinned where the trial began, whatever the motor does; then it is free against its spring. The
    answer is its mean angle over the last `judged_s`, divided by that of the marks, `mark_rad`, and
    positive to the right: wanted is +1, the mark on the right, or −1, that on the left. Cues are
    drawn evenly and independently, in every trial anew.

    The array `rewarded_side` has one value for every individual: the life's own rule, its reverse,
    or 0 for a rewarded non-match and 1 for a rewarded match. `info` holds for the trial so far, and
    at `trial_end` for the whole: `answer`, `error` (|wanted − answer|), `correct` (the answer lies
    on the wanted side; also `trial_score`), `wanted` (±1), `pinned` (the lever is), and `trial` and
    `context`, the type of trial: 0 AA, 1 AB, 2 BA, 3 BB. Performance is the share of trials with a
    correct answer: in the last step of such a trial the steps of a trial, else 0.

    Actions:
        Torque of the motor, from full to the left at −1 to full to the right at 1.

    Observations:
        cue: of each of the two cues, 1 while it is shown.
        lever_angle: positive to the right.
        lever_velocity: of the same.

    Rewards:
        error: |wanted − answer| in the last step of a trial, 0 in all others.

    Starts:
        At rest, pinned with the lever turned from the middle by noise of size `start_noise`; so
        does every trial.

    Ends:
        If the physics diverges.
    """

    name: ClassVar[str] = "delayed_match"
    has_trials = True
    reward_names: ClassVar[tuple[str, ...]] = ("error",)
    parameters_type: ClassVar[type] = DelayedMatchParameters
    performance_name: ClassVar[str] = "share of correct trials"
    performance_unit: ClassVar[str] = "1/trial"
    trial_score_name: ClassVar[str] = "share of correct trials"
    protocol: ClassVar[str] = ""
    parameters: DelayedMatchParameters

    def __init__(
        self,
        simulation: Simulation,
        rewards: dict[str, float],
        parameters: DelayedMatchParameters,
    ):
        super().__init__(simulation, rewards, parameters)
        n, world = simulation.n, simulation.world
        self.full_angle = _full_angle(world.name, world.model)
        if parameters.mark_rad > self.full_angle:
            raise UserError(
                f"env {world.name}: mark_rad = {parameters.mark_rad}: the motor holds the lever at "
                f"{self.full_angle:g} rad at most"
            )
        durations = (
            parameters.cue_s, parameters.delay_s, parameters.cue_s, parameters.hold_s,
            parameters.window_s,
        )  # fmt: skip
        steps = [round(duration / world.control_step_s) for duration in durations]
        if min(steps[:3]) < 1 or round(parameters.judged_s / world.control_step_s) < 1:
            raise UserError(
                f"env {world.name}: cue_s, delay_s and judged_s must each last a control step of "
                f"{world.control_step_s:g} s"
            )
        # Steps of the trial at which sample ends, test begins, test ends, lever is free, all ends.
        ends = np.cumsum(steps)
        self._sample_end, self._test_begin, self._test_end, self._free, self.trial_steps = (
            int(end) for end in ends
        )
        self._judged = round(parameters.judged_s / world.control_step_s)
        self._own_rule = int(parameters.rule == "match")
        self.arrays = {"rewarded_side": np.full(n, OWN)}
        self._mocap = simulation.read("mocap_pos")  # (n, nmocap, 3)
        bodies = {name: world.model.body(name) for name in (*CUES, "pin")}
        self._bodies = [int(world.model.body_mocapid[b.id]) for b in bodies.values()]
        self._shown_z = np.array([b.pos[2] for b in bodies.values()])  # (3,) m
        self._keys = np.zeros(n, np.uint64)
        self._trial, self._step = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._sample, self._test = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._start = np.zeros((n, 1))  # angle of the pinned lever, rad
        self._sum = np.zeros(n)  # of the angles judged so far, rad
        self._lit = np.zeros((n, 2), np.bool_)
        self.observation_slices = (
            ObservationSlice("cue", 2, "1", 1.0, CUES, is_event=True),
            ObservationSlice("lever_angle", 1, "rad", self.full_angle, ("lever",)),
            ObservationSlice("lever_velocity", 1, "rad/s", 10.0 * self.full_angle, ("lever",)),
        )

    def reset(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Draw the key of each life from its stream, and begin its first trial."""
        self._keys[ids] = [rng.integers(2**64, dtype=np.uint64) for rng in rngs]
        self._trial[ids] = 0
        qpos = self._begin_trial(ids)
        self.simulation.reset(ids, qpos, np.zeros_like(qpos))
        self._show(ids)

    def control(self, action: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return motor commands (n, 1): nothing reaches the motor of a pinned lever."""
        return action * self._is_free()[:, None]

    def observe(self) -> NDArray[np.float32]:
        """Return (n, o) in the order of `observation_slices`."""
        simulation = self.simulation
        out = np.empty((simulation.n, self.observation_size), np.float32)
        out[:, 0:2] = self._lit
        out[:, 2] = simulation.qpos[:, 0]
        out[:, 3] = simulation.qvel[:, 0]
        return out

    def reward_terms(self, action: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        """Put pinned levers back, and return the terms of the class docstring, (n,) each."""
        pinned = np.flatnonzero(~self._is_free())
        self.simulation.qpos[pinned] = self._start[pinned]
        self.simulation.qvel[pinned] = 0.0
        return {"error": self._error() * self._last_step()}

    def terminated(self) -> NDArray[np.bool_]:
        """Return who has diverged, (n,)."""
        return self.simulation.unstable.copy()

    def performance(self) -> NDArray[np.float64]:
        """Return the steps of a trial in the last step of a correct one, else 0, (n,)."""
        return self.trial_steps * (self._last_step() & self._correct()).astype(np.float64)

    def info(self) -> dict[str, NDArray]:
        """Return how the trial went so far, as in the class docstring, (n,) each."""
        return {
            "trial": self._trial.copy(),
            "trial_end": self._last_step(),
            "context": 2 * self._sample + self._test,
            "wanted": self._wanted(),
            "answer": self._answer(),
            "error": self._error(),
            "correct": self._correct(),
            "pinned": ~self._is_free(),
            "trial_score": self._correct().astype(np.float64),
        }

    def after_step(self, ids: Ids | None) -> None:
        """Add up the answers, and begin the next trial of those whose trial is over."""
        rows = np.arange(self.simulation.n) if ids is None else ids
        over = rows[self._last_step()[rows]]
        self._sum[rows] += self._judged_angle()[rows]
        self._step[rows] += 1
        if len(over):
            self._trial[over] += 1
            self.simulation.qpos[over] = self._begin_trial(over)
            self.simulation.qvel[over] = 0.0
        self._show(rows)

    def _begin_trial(self, rows: Ids) -> NDArray[np.float64]:
        """Draw cues and start of the next trial of `rows` (k,); returns angles (k, 1), rad."""
        keys, trials = self._keys[rows], self._trial[rows]
        draws = counter_random.uniform(keys ^ _CUE, trials, 2)
        self._sample[rows], self._test[rows] = (draws >= 0.5).astype(np.int64).T
        noise = 2.0 * counter_random.uniform(keys ^ _START, trials, 1).astype(np.float64) - 1.0
        self._start[rows] = self.parameters.start_noise * noise
        self._step[rows] = 0
        self._sum[rows] = 0.0
        return self._start[rows]

    def _last_step(self) -> NDArray[np.bool_]:
        return self._step + 1 >= self.trial_steps

    def _is_free(self) -> NDArray[np.bool_]:
        return self._step >= self._free

    def _judged_angle(self) -> NDArray[np.float64]:
        """Return the angle (n,), rad, where this step is judged, else 0."""
        return self.simulation.qpos[:, 0] * (self._step >= self.trial_steps - self._judged)

    def _answer(self) -> NDArray[np.float64]:
        return (self._sum + self._judged_angle()) / (self._judged * self.parameters.mark_rad)

    def _wanted(self) -> NDArray[np.float64]:
        shifted = self.arrays["rewarded_side"]
        rule = np.where(shifted == MIRRORED, 1 - self._own_rule, self._own_rule)
        rule = np.where(shifted >= 0, shifted, rule)  # (n,), 1: a match is rewarded
        is_right = (self._sample != self._test) != (rule > 0)
        return np.where(is_right, 1.0, -1.0)

    def _error(self) -> NDArray[np.float64]:
        return np.abs(self._wanted() - self._answer())

    def _correct(self) -> NDArray[np.bool_]:
        return self._wanted() * self._answer() > 0

    def _show(self, rows: Ids) -> None:
        """Light the cues that the brains of `rows` see, and pin their levers, in the scene too."""
        step = self._step[rows]
        cue = np.where(step < self._sample_end, self._sample[rows], self._test[rows])
        is_on = (step < self._sample_end) | ((step >= self._test_begin) & (step < self._test_end))
        lit = is_on[:, None] & (cue[:, None] == np.arange(2))  # (k, 2)
        self._lit[rows] = lit
        seen = np.concatenate((lit, (step < self._free)[:, None]), axis=1)  # (k, 3)
        self._mocap[rows[:, None], self._bodies, 2] = self._shown_z - _HIDDEN_M * ~seen


def _full_angle(name: str, model: mujoco.MjModel) -> float:
    """Return the angle, rad, at which the spring balances the motor's full torque.

    Raises:
        UserError: the scene is no lever on a spring.
    """
    hinge = model.njnt == 1 and model.nu == 1 and model.jnt_type[0] == mujoco.mjtJoint.mjJNT_HINGE
    if not hinge or model.jnt_stiffness[0] <= 0 or {*CUES, "pin"} - _mocap_names(model):
        raise UserError(
            f"env {name}: delayed_match needs one hinge with a spring and a motor, and the mocap "
            f"bodies {', '.join(CUES)} and pin"
        )
    return float(model.actuator_gear[0, 0] * model.actuator_gainprm[0, 0] / model.jnt_stiffness[0])


def _mocap_names(model: mujoco.MjModel) -> set[str]:
    return {model.body(i).name for i in range(model.nbody) if model.body_mocapid[i] >= 0}
