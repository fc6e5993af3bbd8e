"""The Gymnasium shell over a Task, for `n` individuals; the single env is a batch of one."""

from contextlib import suppress
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from robolearn.definitions import data_folder, definition_names, read_env, read_yaml
from robolearn.envs.display import offered_render_modes
from robolearn.envs.registration import check_definition, sound_envs
from robolearn.envs.registry import task_type
from robolearn.envs.task import Task
from robolearn.errors import UserError, unknown_name
from robolearn.schema import build
from robolearn.shifts import Schedule, ShiftState, parse_shifts, shift_rng
from robolearn.shifts.shift import number
from robolearn.simulation import Ids, Simulation
from robolearn.worlds import World, load_world

RENDER_MODES = ["rgb_array", "human"]


class RobotVectorEnv(VectorEnv):
    """`num_envs` individuals of one world and task.

    What is acted, observed and rewarded is told by the task's docstring and, index by index, by the
    card `envs/<name>/card.md` (`python -m robolearn.envs.card NAME` prints it).

    Row i of a reset with seed s draws from `np_random(s + i)`, so it equals the single env with
    that seed. Rewards are float64 (n,); `infos` holds `reward_<term>`, `performance`, `unstable`
    and the task's own arrays. Shifts may stand between brain and body: rewards are those of what
    the brain commanded, observations are what reached it.

    Args:
        name: folder under `envs/`.
        num_envs: number of individuals.
        max_episode_steps: control steps after which a life is truncated; None for no limit.
        autoreset_mode: NEXT_STEP (default), SAME_STEP, or DISABLED, where finished individuals
            cost no physics until `reset(options={"reset_mask": mask})`.
        render_mode: "rgb_array", "human" or None.
        threads: physics threads; None takes every core. Results do not depend on it.
        shifts: what may happen to the bodies: texts such as "limb_damage:front_left:dead@5s",
            mappings, or plans.
        variant: a variant of the world, such as a faster integrator.
        rewards: weights of reward terms that replace those of `env.yaml`, by name.
        parameters: replace values under `parameters` of `env.yaml`.

    Raises:
        UserError: an unknown name or a value out of range, told in one line.
    """

    single_observation_space: Box
    observation_space: Box
    single_action_space: Box
    action_space: Box

    def __init__(
        self,
        name: str,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        threads: int | None = None,
        shifts: Any = (),
        variant: str | None = None,
        rewards: dict[str, float] | None = None,
        **parameters: Any,
    ):
        world = load_world(name, variant)
        _check_count("num_envs", num_envs)
        if max_episode_steps is not None:
            _check_count("max_episode_steps", max_episode_steps)
        self.num_envs = num_envs
        self.simulation = Simulation(world, num_envs, threads)
        self.task = make_task(self.simulation, parameters, rewards)
        self.max_episode_steps = max_episode_steps
        modes = [mode.value for mode in AutoresetMode]
        if autoreset_mode not in (*modes, *AutoresetMode):
            raise unknown_name("autoreset_mode", autoreset_mode, modes)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        life_s = None if max_episode_steps is None else max_episode_steps * world.control_step_s
        plans = parse_shifts(shifts)
        self.schedule = Schedule(self.simulation, plans, life_s, self.task.interface)
        self._shift_state = ShiftState(plans, world)
        self._told = np.zeros((num_envs, self._shift_state.size), np.float32)
        self.metadata = {
            "render_modes": offered_render_modes(),
            "render_fps": round(1 / world.control_step_s),
            "autoreset_mode": self.autoreset_mode,
        }
        if render_mode not in (None, *RENDER_MODES):
            raise unknown_name("render_mode", render_mode, RENDER_MODES)
        self.render_mode = render_mode
        dtype = self.task.observation_dtype
        self.single_observation_space = Box(-np.inf, np.inf, (self.task.observation_size,), dtype)
        self.single_action_space = Box(-1.0, 1.0, (self.task.action_size,), np.float32)
        self.observation_space = cast("Box", batch_space(self.single_observation_space, num_envs))
        self.action_space = cast("Box", batch_space(self.single_action_space, num_envs))
        self._rngs: list[np.random.Generator] = []
        self._shift_rngs: list[np.random.Generator] = []
        self._steps = np.zeros(num_envs, np.int64)
        self._done = np.zeros(num_envs, np.bool_)
        self._renderer = None
        self._observation: NDArray[np.floating] | None = None  # (n, o) as last returned

    @property
    def world(self) -> World:
        """The compiled scene."""
        return self.simulation.world

    @property
    def steps(self) -> NDArray[np.int64]:
        """Control steps lived so far, (n,)."""
        return self._steps.copy()

    def row_stream(self, row: int) -> np.random.Generator:
        """Return the stream from which the resets of `row` draw."""
        return self._rngs[row]

    def shift_state(self) -> NDArray[np.float32]:
        """Return in numbers (n, k) which of the `shifts` act on each row now (`ShiftState`)."""
        for row in np.flatnonzero(self.schedule.changed).tolist():
            self._told[row] = self._shift_state.of(self.schedule.shifts_of(row))
        self.schedule.changed[:] = False
        return self._told.copy()

    def seed_rows(self, seeds: list[int], rows: Ids | None = None) -> None:
        """Give each of `rows` the streams of its own seed; used by resets and by lifetimes."""
        for row, seed in zip(range(self.num_envs) if rows is None else rows, seeds, strict=True):
            self._rngs[row] = np_random(seed)[0]
            self._shift_rngs[row] = shift_rng(seed)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray, dict[str, Any]]:
        """Start new lives in all rows, or in those of `options["reset_mask"]` (n,) bool."""
        n = self.num_envs
        mask = (options or {}).get("reset_mask")
        if mask is None:
            mask = np.ones(n, np.bool_)
        mask = np.asarray(mask)
        if mask.shape != (n,) or mask.dtype != np.bool_ or not mask.any():
            raise UserError(f"reset_mask must be a bool array of shape ({n},) with a True in it")
        seeds = _row_seeds(seed, n)
        if not self._rngs:
            if not mask.all():
                raise UserError("reset_mask: the first reset must start all rows")
            unseeded = [int(s) for s in np.random.SeedSequence().generate_state(n)]
            self._rngs = [np.random.default_rng() for _ in range(n)]
            self._shift_rngs = list(self._rngs)
            self.seed_rows(unseeded)
        rows = np.flatnonzero(mask)
        for row in rows:
            if (row_seed := seeds[row]) is not None:
                self.seed_rows([row_seed], np.array([row]))
        self._start_lives(rows)
        return self._observe(rows), self._infos({"performance": self.task.performance()})

    def step(
        self, actions: NDArray[np.floating]
    ) -> tuple[NDArray, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Advance every running individual by one control step.

        Raises:
            UserError: actions of another shape, or that are not finite; names the row.
            gymnasium.error.ResetNeeded: there was no reset yet.
        """
        if not self._rngs:
            raise gymnasium.error.ResetNeeded("call reset before step")
        actions = self._checked(actions)
        ids = np.flatnonzero(~self._done) if self._done.any() else None
        self.schedule.advance(self._steps, ids)
        # Before new lives start, whose shifts have not seen this action.
        commands = self.schedule.act(actions)
        if self.autoreset_mode is AutoresetMode.NEXT_STEP and self._done.any():
            resetting = self._done.copy()
            self._start_lives(np.flatnonzero(resetting))
            running = ~resetting
        else:
            running = ~self._done
        if ids is not None:
            actions = np.where(running[:, None], actions, 0)  # those of a new life's birth are lost
        self.task.before_step()
        control = self.task.control(commands)
        if ids is None:
            self.simulation.ctrl[:] = control
        else:
            self.simulation.ctrl[ids] = control[ids]
        self.simulation.step(ids)
        self._steps += running
        reward, terms = self.task.weighted_terms(actions)
        terminated = (self.task.terminated() | self.simulation.unstable) & running
        truncated = self.task.completed() & running
        if self.max_episode_steps is not None:
            truncated |= running & (self._steps >= self.max_episode_steps)
        unstable = self.simulation.unstable & running
        performance = self.task.performance()
        performance[unstable] = 0  # the physics has put it back somewhere else
        if ids is not None:
            for array in (reward, performance, *terms.values()):
                array[~running] = 0
        infos = self._infos(
            {
                **{f"reward_{name}": term for name, term in terms.items()},
                **self.task.info(),
                "performance": performance,
                "unstable": unstable,
            }
        )
        self.task.after_step(ids)
        observation = self._observe()
        done = terminated | truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            if done.any():
                observation, infos = self._restart_within_step(observation, infos, done)
        else:
            self._done = done | (self._done & ~running)
        return observation, reward, terminated, truncated, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Return one picture (h, w, 3) a row in mode "rgb_array"; show row 0 in mode "human".

        Raises:
            UserError: no GL can be had; the message names the remedies.
        """
        if self.render_mode is None:
            gymnasium.logger.warn("render() was called without a render_mode")
            return None
        from robolearn.envs.rendering import Renderer

        if self._renderer is None:
            self._renderer = Renderer(self.render_mode, self.world)
        if self.render_mode == "human":
            self._renderer.show(self.simulation, 0)
            return None
        return tuple(self._renderer.draw(self.simulation, row) for row in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _observe(self, rows: Ids | None = None) -> NDArray[np.floating]:
        """Return what reaches the brains (n, o): new in `rows` or in all, else as before."""
        observation = self.task.observe()
        if rows is None or self._observation is None or len(rows) == self.num_envs:
            observation = self.schedule.sense(observation)
        else:
            fresh = self.schedule.sense(observation, rows)[rows]
            observation = self._observation.copy()
            observation[rows] = fresh
        self._observation = observation
        return observation.copy()

    def _start_lives(self, rows: Ids) -> None:
        self.schedule.clear(rows)
        self.task.reset(rows, [self._rngs[i] for i in rows])
        self._steps[rows] = 0
        self._done[rows] = False
        self.schedule.start(rows, [self._shift_rngs[i] for i in rows])

    def _restart_within_step(
        self, observation: NDArray, infos: dict[str, Any], done: NDArray[np.bool_]
    ) -> tuple[NDArray, dict[str, Any]]:
        """Reset the finished rows at once; their last observation and info go into `infos`."""
        final_observation = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(done):
            final_observation[i] = observation[i].copy()
        final_info = {}
        for key, value in infos.items():
            if not key.startswith("_"):
                final_info[key] = value.copy()
                final_info[f"_{key}"] = done.copy()
        self._start_lives(np.flatnonzero(done))
        born = self._infos({"performance": self.task.performance()})
        for key in [key for key in infos if not key.startswith("_")]:
            infos[key] = np.where(done, born.get(key, 0), infos[key]).astype(infos[key].dtype)
            infos[f"_{key}"] = ~done | (key in born)
        infos = {
            **infos,
            "final_obs": final_observation,
            "_final_obs": done.copy(),
            "final_info": final_info,
            "_final_info": done.copy(),
        }
        return self._observe(np.flatnonzero(done)), infos

    def _checked(self, actions: NDArray[np.floating]) -> NDArray[np.floating]:
        actions = np.asarray(actions)
        if actions.dtype.kind not in "fiu":
            raise UserError(f"actions must be numbers, got {actions.dtype}")
        if actions.shape != self.action_space.shape:
            raise UserError(
                f"actions must have shape {self.action_space.shape}, got {actions.shape}"
            )
        if not np.isfinite(actions).all():
            row = int(np.flatnonzero(~np.isfinite(actions).all(axis=1))[0])
            raise UserError(f"actions must be finite, row {row} is {actions[row]}")
        return np.ascontiguousarray(actions)

    def _infos(self, arrays: dict[str, NDArray]) -> dict[str, Any]:
        everyone = np.ones(self.num_envs, np.bool_)
        return {**arrays, **{f"_{key}": everyone for key in arrays}}


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise UserError(f"{name} = {value!r}: expected a whole number of at least 1")


def _row_seeds(seed: Any, n: int) -> list[int | None]:
    """Return a seed for each of `n` rows: from one for the first row, from a list, or from None."""
    if seed is None:
        return [None] * n
    if isinstance(seed, int | np.integer):
        return [int(seed) + i for i in range(n)]
    is_list = isinstance(seed, list | tuple | np.ndarray)
    if not is_list or not all(s is None or isinstance(s, int | np.integer) for s in seed):
        raise UserError(f"seed: expected a whole number, or a list of {n} of them, got {seed!r}")
    seeds = [None if s is None else int(s) for s in seed]
    if len(seeds) != n:
        raise UserError(f"seed: expected {n} seeds, got {len(seeds)}")
    return seeds


def make_task(
    simulation: Simulation, parameters: dict[str, Any], rewards: dict[str, float] | None = None
) -> Task:
    """Build the task that the world's `env.yaml` names, with values in place of its own.

    Raises:
        UserError: an unknown name or a value out of range, in `env.yaml` or among these.
    """
    world = simulation.world
    kind, own = check_definition(world)
    weights = {**own, **check_rewards(world, {} if rewards is None else rewards)}
    values = {**world.definition.get("parameters", {}), **parameters}
    return kind(simulation, weights, build(kind.parameters_type, values, f"env {world.name}"))


def check_rewards(world: World, rewards: Any) -> dict[str, float]:
    """Return weights of reward terms that may replace those of the world's `env.yaml`.

    Raises:
        UserError: no mapping, a term that the task has not, or a weight that is no number.
    """
    if not isinstance(rewards, dict):
        raise UserError(f"rewards must be a mapping of terms to weights, got {rewards!r}")
    known = task_type(world.definition["task"], f"envs/{world.name}/env.yaml").reward_names
    for name in rewards:
        if name not in known:
            raise unknown_name(f"reward term of {world.name}", name, known)
    return {name: number(w, f"reward {name}", -1e6, 1e6) for name, w in rewards.items()}


def env_name(env_id: str) -> str:
    """Return the folder under `envs/` whose `env.yaml` has this id.

    Raises:
        UserError: there is none, and the message lists the valid ids; or it is broken.
    """
    ids = env_ids()
    if env_id in ids:
        return ids[env_id]
    for name in definition_names("envs"):
        stated = None
        with suppress(UserError):
            stated = read_yaml(data_folder("envs") / name / "env.yaml").get("id")
        if stated == env_id:
            read_env(name)  # tells why it is not registered
    raise unknown_name("env", env_id, ids)


def env_ids() -> dict[str, str]:
    """Return {id: folder name} of every sound definition under `envs/`."""
    return {definition["id"]: name for name, definition in sound_envs().items()}
