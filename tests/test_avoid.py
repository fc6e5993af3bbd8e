"""Obstacle avoidance: rooms, collisions, and a reflex that is better than driving blind."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robolearn.envs.braitenberg import blind_wanderer, braitenberg
from robolearn.envs.reference import Policy
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError


def make(n: int, **kwargs: Any) -> RobotVectorEnv:
    kwargs = {"autoreset_mode": "Disabled", "max_episode_steps": 10_000, **kwargs}
    return RobotVectorEnv("avoid", n, **kwargs)


def rooms(env: RobotVectorEnv) -> NDArray[np.float64]:
    """The places (n, pillars, 2) of all pillars."""
    return env.simulation.read("mocap_pos")[:, :, :2].copy()


def act(env: RobotVectorEnv, left: float, right: float) -> tuple:
    return env.step(np.tile(np.array([left, right], np.float32), (env.num_envs, 1)))


def test_every_life_has_a_room_of_its_own_which_its_seed_repeats():
    env = make(8)
    env.reset(seed=0)
    first = rooms(env)
    assert len(np.unique(first.reshape(8, -1), axis=0)) == 8
    env.reset()
    second = rooms(env)
    assert not np.array_equal(first, second)
    env.reset(seed=0)
    assert np.array_equal(rooms(env), first)
    env.reset(options={"reset_mask": np.arange(8) == 3})
    moved = (rooms(env) != first).any(axis=(1, 2))
    assert np.array_equal(moved, np.arange(8) == 3)


def test_pillars_stand_inside_apart_and_away_from_the_start():
    env = make(200)
    env.reset(seed=0)
    places, start = rooms(env), env.simulation.qpos[:, :2]
    counts = (np.abs(places) < 1.5).all(axis=2).sum(axis=1)
    assert set(counts) == set(range(6, 11))
    for row in range(200):
        standing = places[row, : counts[row]]
        assert (np.abs(standing) < 1.5 - 0.1 - 2 * 0.0704).all()  # a way along the walls
        assert (np.abs(places[row, counts[row] :]) > 10).all()
        apart = np.linalg.norm(standing[:, None] - standing, axis=2) + 9 * np.eye(counts[row])
        assert apart.min() > 2 * 0.1 + 2 * 0.0704
        assert np.linalg.norm(standing - start[row], axis=1).min() > 0.1 + 0.0704


def test_a_pillar_stops_the_robot():
    env = make(1)
    env.reset(seed=0)
    places = rooms(env)[0]
    task, place = env.task, places[np.linalg.norm(places, axis=1).argmin()]
    env.simulation.qpos[0] = [*(place - [0.3, 0.0]), 0.0]
    for _ in range(8):
        infos = act(env, 1, 1)[4]
    assert infos["touching"].all()
    gap = np.linalg.norm(env.simulation.qpos[0, :2] - place) - 0.1 - 0.0704
    assert abs(gap) < 0.01
    assert task.observe()[0, -1] == 1.0


def test_a_collision_is_an_event_and_not_the_end():
    env = make(1, pillars=[0, 0], separate_s=0.8)
    env.reset(seed=0)
    env.simulation.qpos[0] = [1.2, 0.0, 0.0]
    seen = []
    for left, right, steps in ((1, 1, 20), (-1, -1, 3), (1, 1, 10), (-1, -1, 12), (1, 1, 15)):
        for _ in range(steps):
            _, reward, terminated, truncated, infos = act(env, left, right)
            assert not (terminated | truncated).any()
            seen.append((infos["touching"][0], infos["collision"][0]))
            parts = [infos[f"reward_{name}"][0] for name in ("forward", "collision", "touching")]
            assert reward[0] == sum(parts)
            assert parts[1] == -1.0 * infos["collision"][0]
            assert parts[2] == pytest.approx(-0.1 * infos["touching"][0])
    touching, collision = np.array(seen).T
    # Pressing on is one collision, and so is touching again at once; after a rest it is another.
    assert collision.sum() == 2
    assert touching.sum() > 20
    assert touching[collision].all()


def test_straight_driving_is_rewarded_and_spinning_is_not():
    env = make(1, pillars=[0, 0])
    for (left, right), pose, expected in (
        ((1, 1), [-1.2, 0, 0], 1.0),
        ((-1, 1), [0, 0, 0], 0.0),
        ((-1, -1), [1.2, 0, 0], -1.0),
        ((0.5, 1), [0, 0, 0], 0.75 * (1 - np.sqrt(0.25))),
    ):
        env.reset(seed=0)
        env.simulation.qpos[0] = pose
        for _ in range(15):
            infos = act(env, left, right)[4]
        assert infos["reward_forward"][0] == pytest.approx(expected, abs=0.01)
        assert infos["performance"][0] == pytest.approx(0.5 * expected, abs=0.005)
        assert infos["distance"][0] == pytest.approx(0.05 * (left + right) / 2, abs=1e-3)


def test_a_reflex_collides_much_less_than_blind_driving_and_gets_farther():
    def live(policy: type | Any, seed: int = 0) -> tuple[float, float]:
        env = make(64)
        observation, driver = env.reset(seed=seed)[0], policy(env)
        collisions = distance = 0.0
        for _ in range(300):
            observation, _, _, _, infos = env.step(driver(observation))
            collisions += infos["collision"].sum()
            distance += infos["distance"].sum()
        return collisions / distance, distance / 64

    (reflex, far), (blind, less_far) = live(braitenberg), live(blind_wanderer)
    assert reflex < 0.2 * blind
    assert far > less_far


def test_further_rooms_are_entered_in_time():
    env = make(6, rooms=3, room_s=1.0)
    env.reset(seed=0)
    before = rooms(env)
    for step in range(45):
        infos = act(env, 0.5, 0.5)[4]
        assert (infos["trial"] == min(step // 10, 2)).all()
        changes = step in (9, 19)
        assert (infos["trial_end"] == changes).all()
        after = rooms(env)
        assert (after != before).any(axis=(1, 2)).all() == changes
        if changes:
            assert not env.simulation.qvel.any()
        before = after


def test_the_reflex_needs_eyes():
    with pytest.raises(UserError, match="lacks"):
        braitenberg(RobotVectorEnv("quadruped", 1))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"pillars": [3, 20]}, "up to 15 in 4 x 4 cells"),
        ({"cells": [5, 5], "pillars": [3, 20]}, "but the scene has 10"),
        ({"jitter": -1.0}, "jitter"),
        ({"jitter": 0.4}, "jitter = 0.4: expected at most 0.375 m"),
    ],
)
def test_mistakes_are_told_in_one_line(kwargs: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message) as error:
        make(1, **kwargs)
    assert "\n" not in str(error.value)


def test_a_policy_is_a_function_of_observations():
    env = make(3)
    observation = env.reset(seed=0)[0]
    policies: list[Policy] = [braitenberg(env), blind_wanderer(env)]
    for policy in policies:
        action = policy(observation)
        assert action.shape == (3, 2)
        assert action.dtype == np.float32
        assert (np.abs(action) <= 1).all()
