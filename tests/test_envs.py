"""What every registered env owes: Gymnasium's contract, and one row of many equal to one alone."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.env_checker import check_env as check_env_sb3

from robolearn.definitions import definition_names
from robolearn.envs.vector_env import RobotVectorEnv, env_ids
from robolearn.errors import UserError
from robolearn.recording.gl import available_gl
from robolearn.worlds import load_world

IDS = sorted(env_ids())
NAMES = env_ids()
each_env = pytest.mark.parametrize("env_id", IDS)


def make_vec(env_id: str, n: int, **kwargs: Any) -> RobotVectorEnv:
    env = gymnasium.make_vec(env_id, n, **kwargs)
    assert isinstance(env, RobotVectorEnv)
    return env


def random_actions(env: RobotVectorEnv, steps: int, seed: int = 0) -> NDArray[np.float32]:
    """Return (steps, n, a), large enough to end lives early."""
    shape = (steps, *env.action_space.shape)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def some_shifts(env_id: str) -> list[str]:
    """Return shifts that are drawn anew for every life, on the legs if the body has any."""
    world = load_world(NAMES[env_id])
    admissible, legs = world.definition.get("shifts", []), list(world.legs)
    shifts = ["motor_gain:all:0.5..1.5@0.2s..0.4s"] if "motor_gain" in admissible else []
    if legs:
        first, last = legs[0], legs[-1]
        shifts += [
            f"limb_damage:{last}:dead,locked,amputated@0.1s..0.3s",
            f"limb_damage:{first}:shortened:0.3..0.9@0.1s..0.4s",
        ]
    return shifts


def test_every_definition_is_registered():
    assert sorted(NAMES.values()) == definition_names("envs")
    assert set(IDS) <= set(gymnasium.registry)


@each_env
def test_check_env_of_gymnasium_passes(env_id: str):
    env = gymnasium.make(env_id, render_mode="rgb_array" if available_gl() else None)
    # Their unbounded observations are Gymnasium's own choice for robots.
    with pytest.warns(UserWarning, match="Box observation space"):
        check_env(env.unwrapped, skip_render_check=available_gl() is None)


@each_env
def test_check_env_of_stable_baselines3_passes(env_id: str):
    check_env_sb3(gymnasium.make(env_id), warn=True, skip_render_check=True)


@each_env
def test_making_warns_of_nothing(env_id: str):
    # Warnings are errors here; the passive checker looks at every reset and step.
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()


@each_env
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_row_equals_the_single_env_across_autoresets(env_id: str, mode: AutoresetMode):
    shifts = some_shifts(env_id)
    n, seed = 3, 7
    many = make_vec(env_id, n, autoreset_mode=mode, max_episode_steps=25, shifts=shifts)
    alone = [gymnasium.make(env_id, max_episode_steps=25, shifts=shifts) for _ in range(n)]
    observation, _ = many.reset(seed=seed)
    for row, env in enumerate(alone):
        assert np.array_equal(observation[row], env.reset(seed=seed + row)[0])
    was_done, resets = np.zeros(n, np.bool_), 0
    for action in random_actions(many, 60):
        observation, reward, terminated, truncated, infos = many.step(action)
        for row, env in enumerate(alone):
            if mode is AutoresetMode.NEXT_STEP and was_done[row]:
                assert np.array_equal(observation[row], env.reset()[0])
                assert (reward[row], terminated[row], truncated[row]) == (0, False, False)
                continue
            expected, *outcome, info = env.step(action[row])
            assert (reward[row], terminated[row], truncated[row]) == tuple(outcome)
            last, last_infos = observation, infos
            if mode is AutoresetMode.SAME_STEP and (outcome[1] or outcome[2]):
                assert np.array_equal(observation[row], env.reset()[0])
                last, last_infos = infos["final_obs"], infos["final_info"]
            assert np.array_equal(last[row], expected)
            for key, value in info.items():
                if not key.startswith("_"):
                    assert last_infos[key][row] == value, key
        was_done = terminated | truncated
        resets += was_done.sum()
    assert resets > n


@each_env
def test_a_row_equals_the_single_env_across_masked_resets(env_id: str):
    n, seed = 3, 11
    many = make_vec(env_id, n, autoreset_mode=AutoresetMode.DISABLED)
    alone = [gymnasium.make(env_id) for _ in range(n)]
    many.reset(seed=seed)
    for row, env in enumerate(alone):
        env.reset(seed=seed + row)
    actions = random_actions(many, 15)
    for step, action in enumerate(actions):
        observation = many.step(action)[0]
        expected = [env.step(action[row])[0] for row, env in enumerate(alone)]
        assert np.array_equal(observation, expected)
        if step in (4, 9):
            mask = np.arange(n) == step % n
            observation = many.reset(options={"reset_mask": mask})[0]
            for row in np.flatnonzero(mask):
                expected[row] = alone[row].reset()[0]
            assert np.array_equal(observation, expected)


@each_env
def test_finished_rows_rest_until_they_are_reset(env_id: str):
    env = make_vec(env_id, 4, autoreset_mode=AutoresetMode.DISABLED, max_episode_steps=5)
    env.reset(seed=0)
    for action in random_actions(env, 5):
        truncated = env.step(action)[3]
    assert truncated.all()
    state = env.simulation.qpos.copy()
    env.reset(options={"reset_mask": np.array([False, True, False, False])})
    _, reward, terminated, truncated, infos = env.step(random_actions(env, 1)[0])
    assert (env.steps == [5, 1, 5, 5]).all()
    resting = [0, 2, 3]
    assert np.array_equal(env.simulation.qpos[resting], state[resting])
    assert not reward[resting].any()
    assert not (terminated | truncated)[resting].any()
    assert not infos["performance"][resting].any()


@each_env
def test_results_do_not_depend_on_threads_or_numbers(env_id: str):
    shifts = some_shifts(env_id)
    few, many = (
        make_vec(env_id, n, threads=threads, shifts=shifts) for n, threads in ((3, 1), (6, 2))
    )
    few.reset(seed=3)
    many.reset(seed=3)
    for action in random_actions(many, 40):
        mine, others = few.step(action[:3]), many.step(action)
        for a, b in zip(mine[:4], others[:4], strict=True):
            assert np.array_equal(a, b[:3])
        for key, value in mine[4].items():
            assert np.array_equal(value, others[4][key][:3]), key


@each_env
def test_the_same_seed_gives_the_same_life_and_another_seed_another(env_id: str):
    env = make_vec(env_id, 2)
    actions = random_actions(env, 10)

    def live(seed: int) -> NDArray:
        env.action_space.seed(0)
        observations = [env.reset(seed=seed)[0]]
        return np.stack(observations + [env.step(action)[0] for action in actions])

    first = live(4)
    assert np.array_equal(first, live(4))
    assert not np.array_equal(first, live(6))
    assert np.array_equal(live(5)[0, 0], first[0, 1])  # row i draws from seed + i
    assert np.array_equal(env.reset(seed=[5, 4])[0], first[0, ::-1])


@each_env
def test_initial_states_vary_and_no_observation_is_constant(env_id: str):
    env = make_vec(env_id, 4)
    first = env.reset(seed=0)[0]
    unseeded = env.reset()[0]
    assert len(np.unique(np.concatenate((first, unseeded)), axis=0)) == 8
    seen = np.stack([env.step(action)[0] for action in random_actions(env, 60)])
    varies = (seen != seen[0, 0]).any(axis=(0, 1))  # (o,)
    element = 0
    for part in env.task.observation_slices:
        for k in range(element, element + part.size):
            assert varies[k] or part.is_event, f"{part.name}[{k - element}]"
        element += part.size
    assert element == env.single_observation_space.shape[0]


@each_env
def test_returned_arrays_are_never_reused(env_id: str):
    env = make_vec(env_id, 2)
    returned: list[tuple] = [env.reset(seed=0)]
    returned += [env.step(action) for action in random_actions(env, 3)]
    arrays = [
        [value for item in step for value in (item.values() if isinstance(item, dict) else [item])]
        for step in returned
    ]
    state = [getattr(env.simulation, name) for name in ("qpos", "qvel", "ctrl")]
    for i, earlier in enumerate(arrays):
        for later in [*arrays[i + 1 :], state]:
            assert not any(np.may_share_memory(a, b) for a in earlier for b in later)


@each_env
def test_the_reward_is_the_exact_sum_of_its_terms(env_id: str):
    env = make_vec(env_id, 3)
    env.reset(seed=0)
    weights = env.world.definition["rewards"]
    assert list(weights) == [name for name in env.task.reward_names if name in weights]
    for action in random_actions(env, 30):
        _, reward, _, _, infos = env.step(action)
        total = np.zeros(3)
        for name in weights:
            total += infos[f"reward_{name}"]
        assert np.array_equal(reward, total)


@each_env
def test_every_element_of_the_scene_has_a_name(env_id: str):
    world = load_world(NAMES[env_id])
    model, objects = world.model, mujoco.mjtObj
    counts = {
        objects.mjOBJ_BODY: model.nbody,
        objects.mjOBJ_JOINT: model.njnt,
        objects.mjOBJ_GEOM: model.ngeom,
        objects.mjOBJ_SITE: model.nsite,
        objects.mjOBJ_CAMERA: model.ncam,
        objects.mjOBJ_LIGHT: model.nlight,
        objects.mjOBJ_ACTUATOR: model.nu,
        objects.mjOBJ_SENSOR: model.nsensor,
        objects.mjOBJ_EQUALITY: model.neq,
        objects.mjOBJ_TEXTURE: model.ntex,
        objects.mjOBJ_MATERIAL: model.nmat,
        objects.mjOBJ_KEY: model.nkey,
    }
    for kind, count in counts.items():
        for i in range(count):
            assert mujoco.mj_id2name(model, kind, i), f"{kind} {i} has no name"
    assert {"track", "fixed"} <= {model.camera(i).name for i in range(model.ncam)}


@each_env
def test_legs_stand_where_their_names_say(env_id: str):
    world = load_world(NAMES[env_id])
    data = mujoco.MjData(world.model)
    data.qpos[:] = world.home_qpos
    mujoco.mj_forward(world.model, data)
    for name, leg in world.legs.items():
        x, y, _ = data.xipos[world.model.body(leg.lower_link).id] - data.xpos[1]
        places = set(name.split("_"))
        if len(places & {"front", "middle", "rear", "back"}) == 1 and len(places) == 2:
            assert ("front" in places) == (x > 0.03)
            assert bool(places & {"rear", "back"}) == (x < -0.03)
        assert ("left" in places) == (y > 0.01)
        assert ("right" in places) == (y < -0.01)


@each_env
def test_the_row_that_diverges_ends_and_harms_nobody(env_id: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for poison in (np.nan, np.inf, 1e11):
        ill, well = (make_vec(env_id, 3, autoreset_mode=AutoresetMode.DISABLED) for _ in range(2))
        ill.reset(seed=0)
        well.reset(seed=0)
        others = [0, 2]
        for step, action in enumerate(random_actions(well, 12)):
            if step == 5:
                ill.simulation.qvel[1, -1] = poison
            mine, theirs = ill.step(action), well.step(action)
            for a, b in zip(mine[:4], theirs[:4], strict=True):
                assert np.array_equal(a[others], b[others])
            observation, reward, terminated, truncated, infos = mine
            assert np.isfinite(observation).all()
            assert np.isfinite(reward).all()
            assert all(np.isfinite(value).all() for value in infos.values())
            assert (infos["unstable"] == [False, step == 5, False]).all()
            assert terminated[1] == (step == 5)
            assert not truncated.any()
        # A new life is a sound one.
        expected = well.reset(seed=3)[0]
        assert np.array_equal(ill.reset(seed=3)[0], expected)
        action = random_actions(well, 1)[0]
        assert np.array_equal(ill.step(action)[0], well.step(action)[0])
    assert list(tmp_path.iterdir()) == []  # MuJoCo would leave a MUJOCO_LOG.TXT


@pytest.mark.slow
@each_env
def test_a_hundred_thousand_random_steps_diverge_nowhere(env_id: str):
    env = make_vec(env_id, 200)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(500):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, *_, infos = env.step(action)
        assert not infos["unstable"].any()
        assert env.observation_space.contains(observation)


@each_env
def test_actions_that_are_no_actions_are_rejected(env_id: str):
    env, single = make_vec(env_id, 2), gymnasium.make(env_id).unwrapped
    env.reset(seed=0)
    single.reset(seed=0)
    good = np.zeros(env.action_space.shape, np.float32)
    for value in (np.nan, np.inf, -np.inf):
        bad = good.copy()
        bad[1, -1] = value
        before = env.simulation.qpos.copy()
        with pytest.raises(UserError, match="actions must be finite, row 1"):
            env.step(bad)
        assert np.array_equal(env.simulation.qpos, before)
        with pytest.raises(UserError, match="actions must be finite"):
            single.step(bad[1])
    with pytest.raises(UserError, match="actions must have shape"):
        env.step(good[0])
    with pytest.raises(UserError, match="actions must be numbers"):
        env.step(good.astype(str))
    with pytest.raises(gymnasium.error.ResetNeeded):
        make_vec(env_id, 2).step(good)


def test_the_prefix_of_gymnasium_finds_the_package():
    command = (
        "import gymnasium; e = gymnasium.make('robolearn:robolearn/Ant-v0'); e.reset(seed=0); "
        "v = gymnasium.make_vec('robolearn:robolearn/Quadruped-v0', num_envs=2); v.reset(seed=0)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", command], check=True)


def test_importing_robolearn_loads_nothing_heavy():
    command = (
        "import sys, robolearn; "
        "print(*sorted({m.partition('.')[0] for m in sys.modules} & "
        "{'mujoco', 'torch', 'numba', 'stable_baselines3', 'pydantic', 'wandb', 'matplotlib'}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", command], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == ""


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"variant": "fst"}, "unknown variant of ant 'fst'; did you mean 'fast'"),
        ({"reset_nois": 0.2}, "did you mean 'reset_noise'"),
        ({"reset_noise": "much"}, "reset_noise"),
        ({"rewards": {"survve": 0}}, "unknown reward term of ant 'survve'; did you mean 'survive'"),
        ({"rewards": {"survive": "much"}}, "reward survive must be a number"),
        ({"rewards": 3}, "rewards must be a mapping of terms to weights, got 3"),
        ({"render_mode": "rgb"}, "unknown render_mode 'rgb'; did you mean 'rgb_array'"),
        (
            {"autoreset_mode": "Disable"},
            "unknown autoreset_mode 'Disable'; did you mean 'Disabled'",
        ),
        ({"num_envs": 0}, "at least 1"),
        ({"shifts": 3}, "shifts must be a list"),
        ({"shifts": ["motor_gain:all:0.5@60s"]}, "past the end of life"),
    ],
)
def test_mistakes_are_told_in_one_line(kwargs: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message) as error:
        RobotVectorEnv("ant", **{"max_episode_steps": 1000, **kwargs})
    assert "\n" not in str(error.value)


def test_weights_of_rewards_replace_those_of_the_env_and_no_other():
    plain = gymnasium.make("robolearn/Ant-v0")
    distance = gymnasium.make("robolearn/Ant-v0", rewards={"survive": 0, "control": 0.0})
    action = np.full(8, 0.3, np.float32)
    for env in (plain, distance):
        env.reset(seed=3)
    for _ in range(5):
        observation, reward, *_, info = plain.step(action)
        same, distance_reward, *_, told = distance.step(action)
        np.testing.assert_array_equal(same, observation)
        assert told["reward_survive"] == told["reward_control"] == 0
        assert distance_reward == told["reward_forward"] == info["reward_forward"]
        assert distance_reward != reward


def test_an_onset_past_the_registered_life_is_refused_unless_the_life_is_longer():
    late = ["motor_gain:all:0.5@11s"]
    with pytest.raises(UserError, match=r"onset_s 11 is past the end of life \(10 s\)"):
        gymnasium.make("robolearn/Quadruped-v0", shifts=late)
    gymnasium.make("robolearn/Quadruped-v0", shifts=late, max_episode_steps=1000, life_s=20.0)
