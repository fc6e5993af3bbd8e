"""Walkers whose behaviour is known beforehand, and short evaluations of them."""

from types import SimpleNamespace

import numpy as np

from robolearn.adaptation.protocol import Protocol
from robolearn.adaptation.protocol_run import evaluate
from robolearn.agents.protocol import Gene, Genome

# Hip and knee amplitude, phase of the knee (rad), offsets of hip and knee: walks at about 0.85 m/s.
GAIT = np.array([0.40, 0.96, 1.56, 0.47, 0.31], np.float32)
LIMP = "motor_gain:all:0"
NOTHING = "motor_gain:all:1"
ALL_AT_ONCE = ("limb_damage:front_left:dead", "limb_damage:rear_left:dead", LIMP, NOTHING)


class Trot:
    """Legs on a diagonal swing together by the clock of the last two observations; never learns."""

    kind = "trot"
    observation_size = 39
    action_size = 12
    is_plastic = False
    genome = Genome((Gene("gait", (5,)),))

    def express(self, genomes):
        return self.genome.split(genomes)

    def new_state(self, n):
        return SimpleNamespace(steps=np.zeros(n, np.int64))

    def reset(self, parameters, state, ids, rngs):
        state.steps[ids] = 0

    def act(self, parameters, state, observation, feedback):
        hip, knee, phase, hip_offset, knee_offset = parameters["gait"].T[:, :, None]  # (n, 1)
        sin, cos = observation[:, -2:-1], observation[:, -1:]
        side = np.array([1, -1, -1, 1])
        action = np.zeros((len(observation), 4, 3), np.float32)
        action[:, :, 1] = hip_offset + side * hip * sin
        action[:, :, 2] = knee_offset + side * knee * (sin * np.cos(phase) + cos * np.sin(phase))
        return np.clip(action.reshape(-1, 12), -1, 1) * feedback.alive[:, None]

    def finish(self, state, feedback, ids):
        pass


class PlasticTrot(Trot):
    """Stands still as soon as its plasticity is frozen."""

    kind = "plastic_trot"
    is_plastic = True

    def act(self, parameters, state, observation, feedback):
        return super().act(parameters, state, observation, feedback) * feedback.plastic[:, None]


def run(agent=None, shifts=ALL_AT_ONCE, episodes=2, life_s=2.0, its=None, **options):
    protocol = Protocol("short", tuple(shifts), episodes=episodes, life_s=life_s, **(its or {}))
    return evaluate("quadruped", agent or Trot(), GAIT, protocol, **options)


def condition(evaluation, name):
    return next(c for c in evaluation.conditions if c.name == name)
