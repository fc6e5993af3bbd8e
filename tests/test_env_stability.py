"""Ten thousand steps of violent actions, with and without shifts: nobody's physics diverges."""

import numpy as np
import pytest

from robolearn.definitions import definition_folder, definition_names, read_yaml
from robolearn.envs.vector_env import RobotVectorEnv

STEPS, LIFE = 10_000, 200
EARLY = {"uniform": [0.0, 1.0]}


def shifts_of(name: str) -> dict[str, list]:
    """Return the settings that this world's body can be in, by name."""
    definition = read_yaml(definition_folder("envs", name) / "env.yaml")
    admissible = definition.get("shifts", [])
    world = RobotVectorEnv(name).world
    legs, settings = list(world.legs), {"intact": []}
    if "limb_damage" in admissible:
        damage = {"kind": "limb_damage", "leg": legs}
        settings["damage"] = [{**damage, "mode": ["dead", "locked", "amputated"], "onset_s": EARLY}]
        settings["shortened"] = [{**damage, "mode": "shortened", "fraction": [0.05, 0.3, 0.8]}]
    if "motor_gain" in admissible:
        gain = {"kind": "motor_gain", "target": ["all", *legs], "gain": {"uniform": [0.0, 3.0]}}
        settings["gain"] = [gain]
    return settings


CASES = [
    pytest.param(name, shifts, id=f"{name}-{setting}")
    for name in definition_names("envs")
    for setting, shifts in shifts_of(name).items()
]


def test_every_world_is_tried_intact_and_legged_ones_are_tried_hurt():
    tried = {case.id for case in CASES}
    assert {f"{name}-intact" for name in definition_names("envs")} <= tried
    for name in ("ant", "half_cheetah", "hexapod", "quadruped"):
        assert {f"{name}-damage", f"{name}-shortened", f"{name}-gain"} <= tried


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shifts"), CASES)
def test_random_actions_never_break_the_physics(name: str, shifts: list):
    env = RobotVectorEnv(name, 2, max_episode_steps=LIFE, shifts=shifts)
    env.reset(seed=1)
    rng = np.random.default_rng(0)
    ends = 0
    for step in range(STEPS):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        if step % 3 == 0:  # from one end of the range to the other
            action = np.sign(action)
        observation, reward, terminated, truncated, infos = env.step(action)
        assert not infos["unstable"].any()
        assert np.isfinite(observation).all()
        assert np.isfinite(reward).all()
        ends += (terminated | truncated).sum()
    # Every life came to its end, or to a fall before; a step between two lives is the reset.
    assert ends >= 2 * (STEPS // (LIFE + 1))
