"""A wheeled robot that is to drive far in a room full of pillars without bumping into anything.

The reward for driving is that of Floreano & Mondada 1994 (Automatic creation of an autonomous
agent): speed, less of it the more the robot turns, which keeps it from spinning on the spot.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from robolearn.envs.task import ObservationSlice, Task
from robolearn.envs.wheeled_body import WHEELS, WheeledBody
from robolearn.errors import UserError
from robolearn.simulation import Ids, Simulation
from robolearn.worlds import World

# Where pillars stand that a layout does not use: far outside the room.
_AWAY_M = 100.0


@dataclass(frozen=True)
class AvoidParameters:
    """Parameters of `Avoid`.

    Attributes:
        room: centre and half widths [x, y, half_x, half_y] of the room, m.
        cells: columns and rows of the grid in which pillars stand, at most one in a cell.
        pillars: least and greatest number of pillars in a room; drawn for each.
        jitter: half width of the uniform noise on a pillar's x and y about its cell's centre, m.
        rooms: layouts that are met in a life, one after the other.
        room_s: time in a room, s, before the next one; the last is kept.
        separate_s: a touch begins a new collision if there was none for this long, s.
        start_noise: half width of the uniform noise on the start's x and y about the centre of a
            free cell, m.
        beams_deg: angles of the range sensors to the heading, from the left, degrees.
        range_limit: greatest reading, m.
        shy: whether `forward` has the third factor of its source, 1 − i, with i the nearness of
            what is nearest: 0 from `range_limit` on, 1 at a touch.
    """

    room: tuple[float, float, float, float] = (0.0, 0.0, 1.5, 1.5)
    cells: tuple[Annotated[int, Interval(ge=1)], Annotated[int, Interval(ge=1)]] = (4, 4)
    pillars: tuple[Annotated[int, Interval(ge=0)], Annotated[int, Interval(ge=0)]] = (6, 10)
    jitter: Annotated[float, Interval(ge=0, le=10)] = 0.12
    rooms: Annotated[int, Interval(ge=1, le=10_000)] = 1
    room_s: Annotated[float, Interval(gt=0, le=1e6)] = 60.0
    separate_s: Annotated[float, Interval(ge=0, le=100)] = 0.5
    start_noise: Annotated[float, Interval(ge=0, le=10)] = 0.1
    beams_deg: tuple[Annotated[float, Interval(ge=-180, le=180)], ...] = (
        *(90.0, 45.0, 20.0, 0.0),
        *(-20.0, -45.0, -90.0),
    )
    range_limit: Annotated[float, Interval(gt=0, le=100)] = 1.0
    shy: bool = False

    def __post_init__(self) -> None:
        least, most = self.pillars
        free = self.cells[0] * self.cells[1] - 1
        if not least <= most <= free:
            raise UserError(
                f"pillars must be a least and a greatest number, up to {free} in "
                f"{self.cells[0]} x {self.cells[1]} cells of which one is the start, got "
                f"{list(self.pillars)}"
            )
        widest = min(half / n for half, n in zip(self.room[2:], self.cells, strict=True))
        if self.jitter > widest:
            raise UserError(
                f"jitter = {self.jitter}: expected at most {widest:g} m, half the smaller side of "
                f"a cell: pillars would leave the room"
            )
        if not self.beams_deg:
            raise UserError("beams_deg must hold at least one angle")


class Avoid(Task):
    """Drive far and straight among pillars that stand elsewhere in every life, and touch nothing.

    `info` tells of every step: `distance` (driven forward, m, negative backward), `collision` (one
    began in this step), `touching`, `trial` (room, from 0), `trial_end` (the last step in a room)
    and `context` (0).

    Actions:
        Wanted speeds of the left and the right wheel's rim, from full speed back to full speed
        ahead.

    Observations:
        range: from the robot's rim to the nearest wall or pillar along every beam.
        wheel_speed: of the two rims over the ground.
        bump: 1 while the robot touches something.

    Rewards:
        forward: V (1 − √Δ), with V the distance of the step as a share of that at full speed, and Δ
            the difference between the wheels' ways as a share of the greatest possible; with `shy`
            times 1 − i.
        collision: 1 in the step in which the robot touches something, if it has touched nothing for
            `separate_s` before.
        touching: 1 while the robot touches something.

    Starts:
        At rest near the centre of a free cell, with any heading; so in every further room.

    Ends:
        Only if the physics diverges.
    """

    name: ClassVar[str] = "avoid"
    has_trials = True
    reward_names: ClassVar[tuple[str, ...]] = ("forward", "collision", "touching")
    parameters_type: ClassVar[type] = AvoidParameters
    performance_name: ClassVar[str] = "forward speed times 1 − √Δ"
    performance_unit: ClassVar[str] = "m/s"
    protocol: ClassVar[str] = "wheels"
    parameters: AvoidParameters

    def __init__(
        self, simulation: Simulation, rewards: dict[str, float], parameters: AvoidParameters
    ):
        super().__init__(simulation, rewards, parameters)
        n, world = simulation.n, simulation.world
        if world.model.nmocap < parameters.pillars[1]:
            raise UserError(
                f"env {world.name}: avoid: pillars may be {parameters.pillars[1]}, but the scene "
                f"has {world.model.nmocap}"
            )
        self.robot = WheeledBody(simulation)
        _check_room(world, parameters, self.robot.radius)
        self._beams = np.deg2rad(parameters.beams_deg)
        self._cells = _centres(parameters)  # (c, 2)
        self._room_steps = max(1, round(parameters.room_s / world.control_step_s))
        self._separate_steps = round(parameters.separate_s / world.control_step_s)
        self._time = simulation.read("time")
        self._time_before = np.zeros(n)
        self._pose_before = np.zeros((n, 3))
        # Drawn for a life
        self._pillars = np.zeros((n, parameters.rooms, world.model.nmocap, 2))
        self._starts = np.zeros((n, parameters.rooms, 3))
        # Where a life stands
        self._room = np.zeros(n, np.int64)
        self._step_of_room = np.zeros(n, np.int64)
        self._since_touch = np.zeros(n, np.int64)  # steps since something was touched
        # What the last step brought
        self._lived = np.zeros(n, np.bool_)
        self._touching = np.zeros(n, np.bool_)
        self._collision = np.zeros(n, np.bool_)
        self._distance = np.zeros(n)
        self._straight = np.zeros(n)  # 1 − √Δ
        beams = tuple(f"robot, {angle:+g}°" for angle in parameters.beams_deg)
        self.observation_slices = (
            ObservationSlice("range", len(beams), "m", 0.5 * parameters.range_limit, beams),
            ObservationSlice("wheel_speed", 2, "m/s", self.robot.top_speed, WHEELS),
            ObservationSlice("bump", 1, "1", 1.0, ("bumper",), is_event=True),
        )

    @property
    def action_size(self) -> int:
        """Two wheels."""
        return len(WHEELS)

    def reset(self, ids: Ids, rngs: list[np.random.Generator]) -> None:
        """Draw all rooms of a life: number of pillars, order of the cells, places, start."""
        for i, rng in zip(ids, rngs, strict=True):
            for room in range(self.parameters.rooms):
                self._pillars[i, room], self._starts[i, room] = self._draw_room(rng)
        self.simulation.reset(ids, self._starts[ids, 0], np.zeros((len(ids), 3)))
        for array in (self._room, self._step_of_room, self._distance, self._straight):
            array[ids] = 0
        for flag in (self._touching, self._collision, self._lived):
            flag[ids] = False
        self._since_touch[ids] = self._separate_steps
        self._time_before[ids] = self._time[ids]
        self._enter(ids)

    def control(self, action: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the wanted rim speeds, m/s, and nothing for the tyres: (n, nu)."""
        return self.robot.command(action)

    def before_step(self) -> None:
        """Note the time, which stands still for those who rest, and the pose."""
        self._time_before[:] = self._time
        self._pose_before[:] = self.robot.pose

    def observe(self) -> NDArray[np.float32]:
        """Return (n, o) in the order of `observation_slices`."""
        robot, beams = self.robot, len(self._beams)
        out = np.empty((self.simulation.n, self.observation_size), np.float32)
        out[:, :beams] = robot.ranges(self._beams, self.parameters.range_limit)
        out[:, beams : beams + 2] = robot.wheel_speeds()
        out[:, beams + 2] = self._touching
        return out

    def reward_terms(self, action: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        """Judge the step; return the terms of the class docstring, (n,) each."""
        robot = self.robot
        self._lived = (self._time != self._time_before) & ~self.simulation.unstable
        self._touching = robot.touching() & self._lived
        self._collision = self._touching & (self._since_touch >= self._separate_steps)
        moved = robot.pose - self._pose_before  # (n, 3)
        yaw = self._pose_before[:, 2] + moved[:, 2] / 2
        distance = np.cos(yaw) * moved[:, 0] + np.sin(yaw) * moved[:, 1]
        self._distance = np.where(self._lived, distance, 0.0)
        longest = robot.top_speed * self.simulation.world.control_step_s
        difference = np.abs(moved[:, 2]) * robot.track / (2 * longest)
        self._straight = np.where(self._lived, 1.0 - np.sqrt(np.minimum(difference, 1.0)), 0.0)
        forward = self._distance / longest * self._straight
        if self.parameters.shy:
            limit = self.parameters.range_limit
            forward *= robot.ranges(self._beams, limit).min(axis=1) / limit
        return {
            "forward": forward,
            "collision": self._collision.astype(np.float64),
            "touching": self._touching.astype(np.float64),
        }

    def terminated(self) -> NDArray[np.bool_]:
        """Return who diverged, (n,)."""
        return self.simulation.unstable.copy()

    def performance(self) -> NDArray[np.float64]:
        """Return forward speed times 1 − √Δ of the last step, (n,), m/s."""
        return self._distance * self._straight / self.simulation.world.control_step_s

    def info(self) -> dict[str, NDArray]:
        """Return what the class docstring lists, (n,) each."""
        return {
            "distance": self._distance.copy(),
            "collision": self._collision.copy(),
            "touching": self._touching.copy(),
            "trial": self._room.copy(),
            "trial_end": self._leaves(),
            "context": np.zeros(self.simulation.n, np.int64),
        }

    def after_step(self, ids: Ids | None) -> None:
        """Let those whose time in a room is over enter the next one."""
        leaves = np.flatnonzero(self._leaves())
        self._since_touch += self._lived
        self._since_touch[self._touching] = 0
        self._step_of_room += self._lived
        if len(leaves):
            self._room[leaves] += 1
            self._step_of_room[leaves] = 0
            self._since_touch[leaves] = self._separate_steps
            self._touching[leaves] = False
            self.robot.carry(leaves, self._starts[leaves, self._room[leaves]])
            self._enter(leaves)

    def _leaves(self) -> NDArray[np.bool_]:
        """Return whose last step was the last in a room that another follows, (n,)."""
        is_over = self._step_of_room + 1 >= self._room_steps
        return self._lived & is_over & (self._room < self.parameters.rooms - 1)

    def _enter(self, ids: Ids) -> None:
        """Put the pillars of `ids` where they stand in the present room."""
        self.robot.pillars[ids, :, :2] = self._pillars[ids, self._room[ids]]

    def _draw_room(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the places (m, 2) of all pillars and the pose (3,) of the start."""
        parameters, limit = self.parameters, self.parameters.jitter
        count = int(rng.integers(parameters.pillars[0], parameters.pillars[1] + 1))
        cells = self._cells[rng.permutation(len(self._cells))]
        places = np.full(self._pillars.shape[2:], _AWAY_M)
        places[:count] = cells[:count] + rng.uniform(-limit, limit, (count, 2))
        start = np.array([*cells[count], 0.0])
        noise = [parameters.start_noise, parameters.start_noise, np.pi]
        return places, start + noise * rng.uniform(-1, 1, 3)


def _check_room(world: World, parameters: AvoidParameters, radius: float) -> None:
    """Raise UserError if a life could begin outside the walls or against one."""
    corners = np.array(world.definition["world"]["scene"]["walls"]["outline"], float)
    middle, half = np.array(parameters.room[:2]), np.array(parameters.room[2:])
    if (middle - half < corners.min(axis=0)).any() or (middle + half > corners.max(axis=0)).any():
        raise UserError(
            f"room = {list(parameters.room)}: the walls of {world.name} are from "
            f"{corners.min(axis=0).tolist()} to {corners.max(axis=0).tolist()}"
        )
    most = (half / parameters.cells).min() - radius
    if parameters.start_noise > most:
        raise UserError(
            f"start_noise = {parameters.start_noise}: expected at most {most:.3g} m, half the "
            "smaller side of a cell less the robot's radius: it would start in a wall"
        )


def _centres(parameters: AvoidParameters) -> NDArray[np.float64]:
    """Return the centres (c, 2) of the cells in m."""
    x, y, half_x, half_y = parameters.room
    columns, rows = parameters.cells
    across = x + half_x * ((2 * np.arange(columns) + 1) / columns - 1)
    along = y + half_y * ((2 * np.arange(rows) + 1) / rows - 1)
    return np.stack(np.meshgrid(across, along, indexing="ij"), axis=-1).reshape(-1, 2)
