"""Reach with an arm in a plane from a start to targets around it, trial after trial.

The classical experiment on motor learning (Shadmehr & Mussa-Ivaldi 1994, J. Neurosci. 14:3208):
what the eye sees of the hand, the cursor, may be rotated or mirrored, and a field of forces may
push the hand aside; what was learnt of it shows in trials without feedback and in after-effects.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from robolearn.envs.planar_arm import PlanarArm, cross, turned
from robolearn.envs.reach_targets import CIRCLE, TargetPlan, start_noise
from robolearn.envs.task import ObservationSlice, Task
from robolearn.errors import UserError
from robolearn.simulation import Ids, Simulation


@dataclass(frozen=True)
class ReachParameters:
    """Parameters of `Reach`.

    Attributes:
        radius: distance D of the circle's targets from the start, m.
        targets: "circle": 8 targets, each once in 8 trials; "random": places between D / 2 and D
            from the start; "both": the two in turns.
        held_out: indices of targets on the circle (0 to the right, counter-clockwise) that are
            left out, to test with: the shift `probe:held_out` shows them alone.
        trial_s: duration of a trial, s.
        no_feedback_every: every such trial is without feedback, 0 for none: the cursor stays where
            it was at its start and the terms `error`, `endpoint` and `stop` are withheld.
        dense: whether `error` is given in every step; else in the last step of a trial alone.
        start_noise: half width of the uniform noise on the joint angles at a trial's start, rad.
    """

    radius: Annotated[float, Interval(ge=0.02, le=0.18)] = 0.15
    targets: Literal["circle", "random", "both"] = "circle"
    held_out: tuple[Annotated[int, Interval(ge=0, le=CIRCLE - 1)], ...] = ()
    trial_s: Annotated[float, Interval(ge=0.1, le=10)] = 1.0
    no_feedback_every: Annotated[int, Interval(ge=0, le=1000)] = 0
    dense: bool = True
    start_noise: Annotated[float, Interval(ge=0, le=0.1)] = 0.01

    def __post_init__(self) -> None:
        if self.held_out and self.targets == "random":
            raise UserError("held_out: targets at random have none to hold out")
        if len(set(self.held_out)) == CIRCLE:
            raise UserError(f"held_out: at least one of the {CIRCLE} targets must be left")


class Reach(Task):
    """Reach from the start to a target and stop there; a life is a series of such trials.

    Between trials the hand is carried back to the start, at rest, while brain and body go on. The
    cursor is what the eye sees of the hand: displaced from the trial's start as the hand is, but
    mirrored (left for right) where the array `cursor_mirror` is 1 and then rotated
    counter-clockwise by `cursor_rotation` (rad). `force_field` b (N·s/m) pushes a hand of velocity
    v with the force b |v|, to the left of its motion where b > 0. These arrays, and `no_feedback`
    and `held_out` (0 or 1, read when a trial begins), have one value for every individual.

    All errors are those of the cursor; performance is 1 − distance from the target / D, with D the
    distance at the start: 0 for a hand that rests there, 1 on the target. `info` holds for the
    trial so far, and at `trial_end` for the whole: `endpoint_error` (m), `trial_score` (1 −
    `endpoint_error` / D), `hand_speed` (m/s),
    `direction_error` (rad, at the highest speed, positive to the left of the target),
    `lateral_deviation` (m, the greatest distance from the straight line, likewise), and `trial`,
    `target` and `feedback`.

    Actions:
        What each motor gives: torque from −1 to 1 times its limit; for a muscle its excitation,
        from none at −1 to full at 1.

    Observations:
        joint_angle: as it differs from that at the start.
        joint_velocity: of the same joints.
        cursor: its place, from the middle of the circle; in trials without feedback the first one.
        target: its place, from the middle of the circle.
        feedback: 1 if the cursor is shown in this trial.
        time: of the trial that has passed.
        activation: of every muscle, where there are muscles.

    Rewards:
        error: distance of the cursor from the target, over D.
        endpoint: the same, in the last step of a trial alone.
        stop: speed of the hand in the last step of a trial, m/s.
        effort: mean of a² over the action; of a muscle's excitation².

    Starts:
        At rest at the start, with uniform noise on the joint angles of size `start_noise`; so does
        every trial.

    Ends:
        If the physics diverges.
    """

    name: ClassVar[str] = "reach"
    has_trials = True
    reward_names: ClassVar[tuple[str, ...]] = ("error", "endpoint", "stop", "effort")
    parameters_type: ClassVar[type] = ReachParameters
    performance_name: ClassVar[str] = "nearness to the target"
    performance_unit: ClassVar[str] = "1"
    trial_score_name: ClassVar[str] = "share of the distance made good at the end of a trial"
    protocol: ClassVar[str] = "reaching_rotation"
    parameters: ReachParameters

    def __init__(
        self, simulation: Simulation, rewards: dict[str, float], parameters: ReachParameters
    ):
        super().__init__(simulation, rewards, parameters)
        n, model = simulation.n, simulation.model
        self.arm = PlanarArm(simulation.world)
        self._plan = TargetPlan(parameters.targets, parameters.radius, parameters.held_out)
        self._home = simulation.world.home_qpos  # (2,) rad
        self.middle = self.arm.hand(self._home[None], np.zeros((1, 2)))[0][0]  # (2,) m
        self.trial_steps = round(parameters.trial_s / simulation.world.control_step_s)
        names = ["cursor_rotation", "cursor_mirror", "force_field", "no_feedback"]
        names += ["held_out"] if parameters.held_out else []
        self.arrays = {name: np.zeros(n) for name in names}
        self._muscles = model.na > 0
        self._activation = simulation.read("act")
        self._torque = simulation.read("qfrc_applied")
        self._pushed = False
        self._mocap = simulation.read("mocap_pos")  # (n, nmocap, 3)
        mocap = model.body_mocapid
        self._target_body, self._cursor_body = (
            mocap[model.body(name).id] for name in ("target", "cursor")
        )
        self._keys = np.zeros(n, np.uint64)
        self._trial, self._step = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._index = np.zeros(n, np.int64)
        self._shown = np.ones(n, np.bool_)
        self._start = np.zeros((n, 2))  # of the hand in this trial, m
        self._aim, self._line = np.zeros((n, 2)), np.ones((n, 2))  # start to target: m, unit vector
        self._distance = np.ones(n)  # D, m
        self._moved = np.zeros((n, 2))  # cursor from the trial's start, m
        self._error, self._speed = np.zeros(n), np.zeros(n)  # m, m/s
        self._top_speed, self._lateral = np.zeros(n), np.zeros(n)
        self._heading = np.zeros((n, 2))  # `_moved` at the highest speed, m
        self.observation_slices = self._slices()

    def _slices(self) -> tuple[ObservationSlice, ...]:
        model = self.simulation.model
        joints = tuple(model.joint(i).name for i in range(model.njnt))
        muscles = tuple(self.simulation.world.motors) if self._muscles else ()
        slices = (
            ObservationSlice("joint_angle", 2, "rad", 0.3, joints),
            ObservationSlice("joint_velocity", 2, "rad/s", 2.0, joints),
            ObservationSlice("cursor", 2, "m", 0.1, ("cursor x", "cursor y")),
            ObservationSlice("target", 2, "m", 0.1, ("target x", "target y")),
            ObservationSlice("feedback", 1, "1", 1.0, ("the trial's kind",), is_event=True),
            ObservationSlice("time", 1, "s", 0.5, ("the trial's clock",)),
            ObservationSlice("activation", len(muscles), "1", 0.3, muscles),
        )
        return slices if self._muscles else slices[:-1]

    def reset(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Draw the key of each life from its stream, and begin its first trial."""
        self._keys[ids] = [rng.integers(2**64, dtype=np.uint64) for rng in rngs]
        self._trial[ids] = 0
        qpos = self._begin_trial(ids)
        self.simulation.reset(ids, qpos, np.zeros_like(qpos))
        self._place_scenery(ids)

    def control(self, action: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return motor commands (n, nu): the action, or for muscles excitations in [0, 1]."""
        return 0.5 * (1.0 + action) if self._muscles else action

    def before_step(self) -> None:
        """Let the field push, with a torque that is held over the control step."""
        strength = self.arrays["force_field"]
        pushes = bool(strength.any())
        if pushes:
            simulation = self.simulation
            self._torque[:] = self.arm.curl_torque(
                simulation.qpos, simulation.qvel, strength, simulation.world.control_step_s
            )
        elif self._pushed:
            self._torque[:] = 0.0
        self._pushed = pushes

    def observe(self) -> NDArray[np.float32]:
        """Return (n, o) in the order of `observation_slices`."""
        simulation = self.simulation
        out = np.empty((simulation.n, self.observation_size), np.float32)
        from_middle = self._start - self.middle
        out[:, 0:2] = simulation.qpos - self._home
        out[:, 2:4] = simulation.qvel
        out[:, 4:6] = from_middle + self._moved * self._shown[:, None]
        out[:, 6:8] = from_middle + self._aim
        out[:, 8] = self._shown
        out[:, 9] = self._step * simulation.world.control_step_s
        if self._muscles:
            out[:, 10:] = self._activation
        return out

    def reward_terms(self, action: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        """Return the terms of the class docstring, (n,) each."""
        self._follow_cursor()
        last = self._last_step()
        told = last & self._shown
        error = self._error / self._distance
        effort = self.control(action).astype(np.float64) ** 2  # (n, a)
        return {
            "error": error * (self._shown if self.parameters.dense else told),
            "endpoint": error * told,
            "stop": self._speed * told,
            "effort": effort.sum(axis=1) / effort.shape[1],
        }

    def terminated(self) -> NDArray[np.bool_]:
        """Return who has diverged, (n,)."""
        return self.simulation.unstable.copy()

    def performance(self) -> NDArray[np.float64]:
        """Return 1 − distance from the target / D, (n,)."""
        return 1.0 - self._error / self._distance

    def info(self) -> dict[str, NDArray]:
        """Return how the trial went so far.

        `context`, the type of the trial, is the target's index, and CIRCLE + 1 more without
        feedback, when hardly any reward is given.
        """
        moved, line = self._heading, self._line
        along = moved[:, 0] * line[:, 0] + moved[:, 1] * line[:, 1]
        return {
            "trial_end": self._last_step(),
            "trial_score": 1.0 - self._error / self._distance,
            "trial": self._trial.copy(),
            "target": self._index.copy(),
            "context": self._index + (CIRCLE + 1) * ~self._shown,
            "feedback": self._shown.copy(),
            "endpoint_error": self._error.copy(),
            "hand_speed": self._speed.copy(),
            "direction_error": np.arctan2(cross(line, moved), along),
            "lateral_deviation": self._lateral.copy(),
        }

    def after_step(self, ids: Ids | None) -> None:
        """Carry the hands of those whose trial is over back to the start, and begin the next."""
        over = self._last_step()
        self._step[slice(None) if ids is None else ids] += 1
        if over.any():
            rows = np.flatnonzero(over) if ids is None else ids[over[ids]]
            self._trial[rows] += 1
            self.simulation.qpos[rows] = self._begin_trial(rows)
            self.simulation.qvel[rows] = 0.0
            self._activation[rows] = 0.0
        self._place_scenery(slice(None) if ids is None else ids)

    def _last_step(self) -> NDArray[np.bool_]:
        return self._step + 1 >= self.trial_steps

    def _begin_trial(self, rows: Ids) -> NDArray[np.float64]:
        """Draw target and start of the next trial of `rows` (k,); returns angles (k, 2), rad."""
        keys, trials, parameters = self._keys[rows], self._trial[rows], self.parameters
        qpos = self._home + parameters.start_noise * start_noise(keys, trials)
        start, _ = self.arm.hand(qpos, np.zeros_like(qpos))
        held_out = np.zeros(len(rows), np.bool_)
        if parameters.held_out:
            held_out = self.arrays["held_out"][rows] > 0
        self._index[rows], place = self._plan.draw(keys, trials, held_out)
        aim = self.middle + place - start
        distance = np.sqrt(aim[:, 0] ** 2 + aim[:, 1] ** 2)
        shown = self.arrays["no_feedback"][rows] == 0
        if parameters.no_feedback_every:
            shown &= (trials + 1) % parameters.no_feedback_every != 0
        self._shown[rows] = shown
        self._start[rows], self._aim[rows], self._distance[rows] = start, aim, distance
        self._line[rows] = aim / distance[:, None]
        self._error[rows] = distance
        self._step[rows] = 0
        for array in (self._moved, self._heading, self._speed, self._top_speed, self._lateral):
            array[rows] = 0.0
        return qpos

    def _follow_cursor(self) -> None:
        """Note where hand and cursor have come to in this step."""
        hand, velocity = self.arm.hand(self.simulation.qpos, self.simulation.qvel)
        self._moved = moved = self._seen(hand - self._start)
        off = self._aim - moved
        self._error = np.sqrt(off[:, 0] ** 2 + off[:, 1] ** 2)
        self._speed = np.sqrt(velocity[:, 0] ** 2 + velocity[:, 1] ** 2)
        fastest = self._speed > self._top_speed
        np.copyto(self._heading, moved, where=fastest[:, None])
        np.maximum(self._top_speed, self._speed, out=self._top_speed)
        lateral = cross(self._line, moved)
        np.copyto(self._lateral, lateral, where=np.abs(lateral) > np.abs(self._lateral))

    def _seen(self, moved: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the displacement of the cursor (n, 2), m, for that of the hand; may change it."""
        rotation, mirror = self.arrays["cursor_rotation"], self.arrays["cursor_mirror"]
        if mirror.any():
            moved[:, 0] *= 1.0 - 2.0 * mirror
        if rotation.any():
            sine, cosine = np.sin(rotation)[:, None], np.cos(rotation)[:, None]
            moved = cosine * moved + sine * turned(moved)
        return moved

    def _place_scenery(self, rows: Ids | slice) -> None:
        """Show target and cursor where the brain sees them."""
        seen = self._start[rows] + self._moved[rows] * self._shown[rows][:, None]
        self._mocap[rows, self._cursor_body, :2] = seen
        self._mocap[rows, self._target_body, :2] = self._start[rows] + self._aim[rows]
