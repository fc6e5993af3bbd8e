"""The wheeled robot and its mazes: how it drives and sees, what pays, what the best can earn."""

from typing import Any

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from robolearn.envs.reward_law import RewardLaw
from robolearn.envs.tmaze import TMaze
from robolearn.envs.tmaze_player import MazePlayer, WinStayLoseShift
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.lifetime import live
from robolearn.worlds import load_world

WHEELED = ("tmaze", "double_tmaze", "avoid")


def make(n: int, name: str = "tmaze", **kwargs: Any) -> RobotVectorEnv:
    kwargs = {"autoreset_mode": "Disabled", "max_episode_steps": 10_000, **kwargs}
    return RobotVectorEnv(name, n, **kwargs)


def task_of(env: RobotVectorEnv) -> TMaze:
    assert isinstance(env.task, TMaze)
    return env.task


def drive(env: RobotVectorEnv, action: tuple[float, float], steps: int) -> None:
    for _ in range(steps):
        env.step(np.tile(np.array(action, np.float32), (env.num_envs, 1)))


def play(env: RobotVectorEnv, seed: int = 0) -> dict[str, NDArray]:
    """Let the scripted player live whole lives; returns sums over each life, (n,)."""
    env.reset(seed=seed)
    player, alive = MazePlayer(env), np.ones(env.num_envs, np.bool_)
    sums: dict[str, NDArray] = {"life_steps": np.zeros(env.num_envs)}
    observation = env.task.observe()
    while alive.any():
        observation, _, terminated, truncated, infos = env.step(player(observation))
        for name in ("food", "trial_end", "timeout", "performance", "touching"):
            sums[name] = sums.get(name, 0.0) + infos[name] * alive
        sums["life_steps"] += alive
        assert not terminated.any()
        alive &= ~truncated
    return sums


def in_the_open(n: int = 1) -> RobotVectorEnv:
    """A room without pillars, the robot in its middle, looking along x."""
    env = make(n, "avoid", pillars=[0, 0])
    env.reset(seed=0)
    env.simulation.qpos[:] = 0.0
    return env


# ---------------------------------------------------------------------------------- the robot


@pytest.mark.parametrize("name", WHEELED)
def test_beams_read_what_mujoco_rays_read(name: str):
    env = make(64, name)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    low, high = ((-0.05, -0.05), (0.8, 0.05)) if name != "avoid" else ((-1.4, -1.4), (1.4, 1.4))
    env.simulation.qpos[:, :2] = rng.uniform(low, high, (64, 2))
    env.simulation.qpos[:, 2] = rng.uniform(-4, 4, 64)
    readings = env.task.observe()[:, :7]
    model, data = env.world.model, mujoco.MjData(env.world.model)
    robot = model.body("robot").id
    angles = np.deg2rad([90, 45, 20, 0, -20, -45, -90])
    group, geom = np.array([0, 1, 0, 0, 0, 0], np.uint8), np.zeros(1, np.int32)
    compared = 0
    for row in range(64):
        data.qpos[:] = env.simulation.qpos[row]
        data.mocap_pos[:] = env.simulation.read("mocap_pos")[row]
        mujoco.mj_kinematics(model, data)
        pillars = data.mocap_pos[:, :2] - data.qpos[:2]
        if len(pillars) and np.linalg.norm(pillars, axis=1).min() < 0.11:
            continue  # a robot in the middle of a pillar sees nothing sensible
        for beam, angle in enumerate(data.qpos[2] + angles):
            ray = np.array([np.cos(angle), np.sin(angle), 0.0])
            point = np.array([*data.qpos[:2], 0.05])
            distance = mujoco.mj_ray(model, data, point, ray, group, 1, robot, geom)
            expected = np.clip(distance - 0.0704, 0.0, 1.0)
            assert readings[row, beam] == pytest.approx(expected, abs=1e-6)
            compared += 1
    assert compared > 400


def test_a_wheel_nears_its_speed_as_the_published_acceleration_says():
    env = in_the_open()
    env.simulation.qpos[0, 0] = -1.2
    speeds = []
    for _ in range(20):
        drive(env, (1, 1), 1)
        speeds.append(env.simulation.qvel[0, 0])
    time_constant = 0.5 / 2.74 / np.log(10)  # s: 9/10 of 0.5 m/s after 0.5 / 2.74 s
    assert speeds[1] == pytest.approx(0.5 * (1 - np.exp(-0.2 / time_constant)), rel=0.05)
    assert speeds[-1] == pytest.approx(0.5, rel=1e-3)


def test_a_steady_turn_is_that_of_differential_drive():
    env = in_the_open()
    drive(env, (0.4, 0.6), 10)
    start, yaw = env.simulation.qpos[0, :2].copy(), env.simulation.qpos[0, 2]
    drive(env, (0.4, 0.6), 10)
    turned = env.simulation.qpos[0, 2] - yaw
    chord = np.linalg.norm(env.simulation.qpos[0, :2] - start)
    assert turned == pytest.approx(0.1 / 0.1054, rel=0.01)  # (v_right − v_left) / track, 1 s
    radius = 0.25 / (0.1 / 0.1054)
    assert chord == pytest.approx(2 * radius * np.sin(turned / 2), rel=0.02)
    heading = env.simulation.qpos[0, 2]
    sideways = env.simulation.qvel[0, :2] @ [-np.sin(heading), np.cos(heading)]
    assert abs(sideways) < 0.035 * 0.25  # the tyres grip: two degrees


def test_a_weak_motor_slows_its_wheel_and_tyres_are_no_motor():
    assert load_world("tmaze").motors == ["left_wheel", "right_wheel"]
    env = make(1, "avoid", pillars=[0, 0], shifts=["motor_gain:left_wheel:0.5"])
    env.reset(seed=0)
    env.simulation.qpos[:] = 0.0
    drive(env, (0.8, 0.8), 15)
    observation = env.task.observe()[0]
    assert observation[7:9] == pytest.approx([0.2, 0.4], rel=0.02)  # m/s
    with pytest.raises(UserError, match="tyres"):
        make(1, shifts=["motor_gain:tyres:0.5"])


def test_walls_hold_the_robot():
    env = make(1)
    env.reset(seed=0)
    drive(env, (1, 1), 30)
    face = 0.82  # m, the end wall of the junction
    assert env.simulation.qpos[0, 0] == pytest.approx(face - 0.0704, abs=0.01)


@pytest.mark.parametrize("name", WHEELED)
def test_a_hundred_thousand_random_steps_diverge_nobody(name: str):
    env = make(250, name, autoreset_mode="NextStep")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(400):
        infos = env.step(rng.uniform(-1, 1, (250, 2)).astype(np.float32))[4]
        assert not infos["unstable"].any()


# ---------------------------------------------------------------------------------- the law


def draw_laws(law: RewardLaw, lives: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    rng = np.random.default_rng(0)
    side, displaced, cues, luck = zip(*(law.draw(rng) for _ in range(lives)), strict=True)
    return np.array(side), np.stack(displaced), np.stack(cues), np.stack(luck)


def test_the_switch_is_uniform_in_its_window_and_always_moves_the_pay():
    law = RewardLaw(4, 30, (10, 14), 1.0, 0.2, cued=False, first_side=None)
    side, displaced, cues, _ = draw_laws(law, 5000)
    assert not cues.any()
    assert np.abs(np.bincount(side) / 5000 - 1 / 4).max() < 0.03
    assert not displaced[:, :10].any()
    assert displaced[:, 14:].all()
    when = (displaced == 0).sum(axis=1)  # first trial after the switch
    assert np.abs(np.bincount(when, minlength=15)[10:] / 5000 - 1 / 5).max() < 0.03
    assert np.abs(np.bincount(displaced[:, -1], minlength=4)[1:] / 5000 - 1 / 3).max() < 0.03
    assert (np.diff(displaced, axis=1) != 0).sum(axis=1).max() == 1


@pytest.mark.parametrize(
    "law",
    [
        RewardLaw(2, 60, (20, 40), 1.0, 0.2, cued=False, first_side=None),
        RewardLaw(4, 60, (20, 40), 1.0, 0.2, cued=False, first_side=None),
        RewardLaw(2, 60, None, 1.0, 0.0, cued=False, first_side=0),
        RewardLaw(2, 60, (20, 40), 0.8, 0.2, cued=False, first_side=None),
        RewardLaw(2, 40, (20, 20), 0.8, 0.0, cued=True, first_side=None),
    ],
)
def test_the_expected_pay_is_that_of_win_stay_lose_shift(law: RewardLaw):
    lives = 4000
    side, displaced, _, luck = draw_laws(law, lives)
    mind, pay = WinStayLoseShift(lives, law.arms), []
    for trial in range(law.trials):
        meaning = (side + displaced[:, trial]) % law.arms
        is_lucky = (mind.choice == meaning) == (luck[:, trial] < law.probability)
        pay.append(np.where(is_lucky, 1.0, law.low))
        mind.hear(mind.choice.copy(), pay[-1])
    life = np.mean(pay, axis=0)
    error = life.std() / np.sqrt(lives)
    assert abs(life.mean() - law.expected_pay()) <= 4 * error + 1e-12


# ---------------------------------------------------------------------------------- the maze


@pytest.mark.parametrize(
    "parameters",
    [{}, {"cue": "delayed"}, {"homing": True, "trial_s": 10.0}, {"heading": True}],
)
def test_the_player_earns_the_optimum_of_who_does_not_know_the_side(parameters: dict[str, Any]):
    env = make(64, trials=20, switch_trials=[8, 12], **parameters)
    sums = play(env)
    assert (sums["trial_end"] == 20).all()
    assert not sums["timeout"].any()
    assert not sums["touching"].any()
    # Its first guess is arm 0, so that each life loses 0.8 at the switch, and as much at first
    # where arm 0 is not the one: just what the law expects on the average.
    env.reset(seed=0)
    first = task_of(env).rewarded_arm() != task_of(env).info()["context"]
    assert sums["food"] == pytest.approx(20 - 0.8 * (1 + first))
    assert task_of(env).law.expected_pay() == pytest.approx(1 - 0.8 * 1.5 / 20)


def test_four_arms_are_searched_for_the_one_that_pays():
    env = make(96, "double_tmaze", trials=14, switch_trials=[6, 8])
    sums = play(env)
    pay = sums["food"] / 14
    error = pay.std() / np.sqrt(96)
    assert abs(pay.mean() - task_of(env).law.expected_pay()) < 3 * error
    assert not sums["timeout"].any()


def test_chancy_pay_is_what_the_law_expects():
    env = make(128, trials=24, switch_trials=[10, 14], probability=0.8)
    pay = play(env)["food"] / 24
    error = pay.std() / np.sqrt(128)
    assert abs(pay.mean() - task_of(env).law.expected_pay()) < 3 * error


def test_performance_averages_to_the_food_of_a_trial():
    env = make(8, trials=6, switch_trials=None)
    sums = play(env)
    span = 6 * 50  # steps that six trials may take
    assert sums["performance"] / span == pytest.approx(sums["food"] / 6)
    assert (sums["life_steps"] < span).all()


def test_after_a_trial_the_robot_is_at_the_start_and_feels_what_it_was_paid_once():
    env = make(16, trials=4, switch_trials=None)
    player, observation = MazePlayer(env), env.reset(seed=0)[0]
    ended = np.zeros(16, np.int64)
    for _ in range(80):
        before = ended.copy()
        observation, reward, _, _, infos = env.step(player(observation))
        ended += infos["trial_end"]
        pose, new = env.simulation.qpos, infos["trial_end"] & (ended < 4)
        assert (np.abs(pose[new]) <= [0.02, 0.02, 0.1]).all()
        assert not env.simulation.qvel[new].any()
        assert np.array_equal(observation[:, 9], infos["food"].astype(np.float32))
        assert np.array_equal(infos["food"] > 0, infos["trial_end"])
        assert (infos["trial"] == np.minimum(before, 3))[reward != 0].all()
        paid = infos["trial_end"]
        right = infos["chosen"] == infos["rewarded"]
        assert np.array_equal(infos["food"][paid], np.where(right, 1.0, 0.2)[paid])
    assert (ended >= 2).all()


def test_a_trial_without_an_arm_times_out():
    env = make(2, trials=3, trial_s=1.0, switch_trials=None)
    env.reset(seed=0)
    ends = []
    for step in range(30):
        _, reward, terminated, truncated, infos = env.step(np.zeros((2, 2), np.float32))
        assert (infos["timeout"] == infos["trial_end"]).all()
        assert (truncated == (step == 29)).all()
        assert not terminated.any()
        if infos["trial_end"].any():
            ends.append(step)
            assert reward == pytest.approx([-0.1, -0.1])
            assert (infos["chosen"] == -1).all()
    assert ends == [9, 19, 29]
    assert not env.step(np.ones((2, 2), np.float32))[4]["trial_end"].any()  # they rest


def test_a_light_shows_an_arm_at_the_beginning_of_a_trial_only():
    env = make(32, trials=3, cue="delayed", cue_s=0.4, switch_trials=None, first_side=0)
    observation = env.reset(seed=0)[0]
    player, lit, shown = MazePlayer(env), observation[:, 10:12].copy(), []
    step_of_trial = np.zeros(32, np.int64)
    assert (lit.sum(axis=1) == 1).all()
    for _ in range(60):
        observation, _, _, truncated, infos = env.step(player(observation))
        # first_side 0: the lit arm pays
        assert np.array_equal(infos["context"], infos["rewarded"])
        shown.append(infos["context"])
        step_of_trial = np.where(infos["trial_end"], 0, step_of_trial + 1)
        going = ~env.task.completed() & ~truncated
        assert np.array_equal(observation[going, 10:12].any(axis=1), step_of_trial[going] < 4)
    assert set(np.unique(shown)) == {0, 1}


def test_homing_pays_at_the_arm_and_ends_at_the_start():
    env = make(8, trials=2, trial_s=10.0, homing=True, switch_trials=None)
    player, observation = MazePlayer(env), env.reset(seed=0)[0]
    fed = np.zeros(8, np.bool_)
    for _ in range(60):
        observation, _, _, _, infos = env.step(player(observation))
        assert not (infos["food"].astype(bool) & infos["trial_end"]).any()
        assert (fed[infos["trial_end"]]).all()
        fed |= infos["food"] > 0
        if infos["trial_end"].any():
            break
    assert infos["trial_end"].any()


def test_trials_of_a_row_are_those_of_the_row_alone():
    many = make(4, trials=6, switch_trials=[2, 3], threads=2)
    player, observation = MazePlayer(many), many.reset(seed=5)[0]
    alone = [make(1, trials=6, switch_trials=[2, 3], threads=1) for _ in range(4)]
    for row, env in enumerate(alone):
        assert np.array_equal(env.reset(seed=5 + row)[0][0], observation[row])
    trials = 0
    for _ in range(110):
        action = player(observation)
        observation, reward, _, truncated, infos = many.step(action)
        trials += infos["trial_end"].sum()
        for row, env in enumerate(alone):
            single = env.step(action[row : row + 1])
            assert np.array_equal(single[0][0], observation[row])
            assert (single[1][0], single[3][0]) == (reward[row], truncated[row])
            for key, value in single[4].items():
                assert value[0] == infos[key][row], key
    assert trials > 12


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"arms": ["left", "rihgt"]}, "unknown place 'rihgt'; did you mean 'right'"),
        ({"arms": ["left"]}, "at least two places"),
        ({"arms": ["left", "left"]}, "arms must be different places"),
        ({"switch_trials": [10, 90]}, "switch_trials must be a first and a last trial"),
        ({"first_side": 2}, "first_side must be below 2"),
        ({"probability": 0.3}, "probability"),
        ({"cue": "delay"}, "did you mean 'delayed'"),
        ({"shifts": ["limb_damage:front_left:dead"]}, "does not apply to tmaze"),
    ],
)
def test_mistakes_are_told_in_one_line(kwargs: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message) as error:
        make(1, **kwargs)
    assert "\n" not in str(error.value)


def test_a_maze_needs_wheels():
    with pytest.raises(UserError, match="builder 'wheeled'"):
        TMaze(RobotVectorEnv("ant", 1).simulation, {}, task_of(make(1)).parameters)


class Listener:
    """A brain that plays as the scripted player does and writes down what it is told."""

    def __init__(self, env: RobotVectorEnv):
        self._player, self.heard = MazePlayer(env), []

    def new_state(self, n: int) -> None:
        return None

    def reset(self, *_: Any) -> None: ...

    def finish(self, *_: Any) -> None: ...

    def act(self, _parameters: Any, _state: Any, observation: NDArray, feedback: Any) -> NDArray:
        self.heard.append((feedback.reward, feedback.trial_end, feedback.context))
        return self._player(observation)


def test_brains_hear_of_the_reward_and_the_end_of_a_trial_together():
    env = make(8, trials=5, cue="delayed", switch_trials=None, max_episode_steps=250)
    brain = Listener(env)
    lives = live(env, brain, {}, np.arange(8))  # type: ignore[arg-type]
    reward, trial_end, context = (np.stack(part) for part in zip(*brain.heard, strict=True))
    assert np.array_equal(reward > 0, trial_end)
    assert set(np.unique(context[trial_end])) == {0, 1}
    # All but the last reward come with a next step to act in.
    assert (trial_end.sum(axis=0) >= 4).all()
    assert not lives.fell.any()
    assert lives.mean_performance == pytest.approx(lives.reward_terms["food"] / 5)
