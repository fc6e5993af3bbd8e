"""Check that recurrent networks learn delayed non-match to sample in their own life.

32 individuals, each with weights, trials and noise of its own seed, learn for 3,000 trials. Then,
with frozen weights and without perturbations, each answers 200 trials that it has not met: as it
is, and with its activity put back to that of a trial's beginning when the delay ends, so that
nothing can be held. So do those in whom, in another life of the same seed, only the weights into
the unit that acts have learnt, with the same settings and with settings of their own; and the
newborn. Some fifteen minutes on two cores:

    python benchmarks/delayed_match_claims.py --json benchmarks/delayed_match_claims.json

Seeds 0-31 and 100-131 were used for tuning, 1000-1031 are those reported. `--cost` measures what
learning costs instead; `--set trace=cubed substeps=10` changes hyperparameters.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from robolearn.adaptation.statistics import interval
from robolearn.agents.node_perturbation_recurrent import RecurrentState
from robolearn.agents.registry import make_agent
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.lifetime import NEVER, Moment, live

KIND, ENV = "node_perturbation_recurrent", "delayed_match"
TEST_TRIALS = 200
# Test trials and noise have seeds of their own.
TEST_SEEDS = 1_000_000
GOOD = 0.05
# Hyperparameters of the lives that are compared; what is best for the read-out was tuned alike.
CONDITIONS = {
    "all weights": {},
    "read-out only": {"plastic": "readout"},
    "read-out only, tuned": {"plastic": "readout", "perturbation": 1.5, "change_limit": 6e-4},
}


def main() -> None:
    """Let all lives be lived, and print a line for each condition."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--individuals", type=int, default=32)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", dest="hyper")
    parser.add_argument("--delay", type=float, default=0.2, help="of the task, s")
    parser.add_argument("--only-learner", action="store_true", help="leave out the controls")
    parser.add_argument("--cost", action="store_true", help="measure the time that learning takes")
    parser.add_argument("--json", type=Path, help="where the raw numbers go")
    given = parser.parse_args()
    hyper = {key: yaml.safe_load(text) for key, _, text in (h.partition("=") for h in given.hyper)}
    study = Study(given.individuals, given.first_seed, given.trials, given.delay, hyper)
    result = study.cost() if given.cost else study.judge(only_learner=given.only_learner)
    result = {"seeds": study.seeds.tolist(), "trials": given.trials, "hyper": hyper, **result}
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


class Study:
    """Lives of `n` individuals with the seeds from `first_seed` on.

    Args:
        n: number of individuals.
        first_seed: seed of the first.
        trials: length of the life that learns.
        delay_s: from the first cue to the second, s.
        hyper: hyperparameters that differ from those of `agents/<kind>/agent.yaml`.
    """

    def __init__(self, n: int, first_seed: int, trials: int, delay_s: float, hyper: dict[str, Any]):
        self.seeds = first_seed + np.arange(n)
        self.trials, self.delay_s, self.hyper = trials, delay_s, hyper
        self.seconds = 0.0  # that the last lives took

    def judge(self, *, only_learner: bool) -> dict[str, Any]:
        """Return the errors of every condition and individual, and the course of learning."""
        print(
            f"{'errors':<30} {'IQM':>6} {'95 % interval':>16} {'mean':>6} {'<= 5 %':>7} {'|e|':>6}"
        )
        errors: dict[str, list[float]] = {}
        curves: dict[str, list[list[float]]] = {}
        begin = time.perf_counter()
        for name, hyper in list(CONDITIONS.items())[: 1 if only_learner else None]:
            wrong, graded, brains = self.learn(**hyper)
            curves[name] = np.round(blocks(wrong), 4).tolist()
            last = f"{name}, learning"
            errors[last] = tell(last, wrong[-100:], graded[-100:])
            errors[name] = tell(name, *self.test(brains))
            cleared = f"{name}, cleared"
            clear = {"clear_at_s": 0.2 + self.delay_s}
            errors[cleared] = tell(cleared, *self.test(brains, **clear))
        if not only_learner:
            errors["newborn"] = tell("newborn", *self.test(None))
        print(f"{time.perf_counter() - begin:.0f} s; errors of blocks of 250 trials, mean:")
        for name, curve in curves.items():
            print(f"{name:<30}", np.round(np.mean(curve, axis=0), 3))
        return {"errors": errors, "error_of_blocks_of_250_trials": curves}

    def learn(self, **hyper: Any) -> tuple[NDArray, NDArray, RecurrentState]:
        """Return wrong and |error| of every trial (trials, n), and the brains at the end."""
        return self._live(self.trials, self.seeds, None, learns=True, **hyper)

    def test(self, brains: RecurrentState | None, **hyper: Any) -> tuple[NDArray, NDArray]:
        """Return wrong and |error| (trials, n) of frozen brains; None: newborn ones."""
        seeds = self.seeds + (TEST_SEEDS if brains else 0)
        return self._live(TEST_TRIALS, seeds, brains, learns=False, **hyper)[:2]

    def _live(
        self,
        trials: int,
        seeds: NDArray[np.int64],
        brains: RecurrentState | None,
        *,
        learns: bool,
        **hyper: Any,
    ) -> tuple[NDArray, NDArray, RecurrentState]:
        env, agent = self._pair(trials, **hyper)
        wrong, graded = np.zeros((2, trials, env.num_envs))
        last: list[RecurrentState] = []

        def listen(moment: Moment) -> None:
            if moment.infos["trial_end"][0]:  # all trials last equally long
                trial = moment.infos["trial"][0]
                wrong[trial] = ~moment.infos["correct"]
                graded[trial] = moment.infos["error"]
            last[:] = [moment.state]

        brain: Any = Reborn(agent, brains) if brains else agent
        genome = agent.genome.initial(np.random.default_rng(0))
        parameters = agent.express(np.tile(genome, (env.num_envs, 1)))
        until = NEVER if learns else 0
        begin = time.perf_counter()
        live(env, brain, parameters, seeds, frozen_from=until, quiet_from=until, listener=listen)
        self.seconds = time.perf_counter() - begin
        return wrong, graded, last[0]

    def cost(self) -> dict[str, Any]:
        """Return and print the time of a control step of all individuals, ms, three rounds each."""
        env, _ = self._pair(30)
        actions = np.zeros(env.action_space.shape, np.float32)
        measured: dict[str, list[float]] = {"env alone": [], "learning": [], "frozen": []}
        for _ in range(4):
            env.reset(seed=0)
            steps = env.max_episode_steps or 0
            begin = time.perf_counter()
            for _ in range(steps):
                env.step(actions)
            measured["env alone"].append((time.perf_counter() - begin) / steps * 1e3)
            for name, learns in (("learning", True), ("frozen", False)):
                self._live(30, self.seeds, None, learns=learns, warm_up_trials=0)
                measured[name].append(self.seconds / steps * 1e3)
        for name, times in measured.items():
            del times[0]  # compiling
            print(f"{name:<12} {np.median(times):6.3f} ms a control step of {len(self.seeds)}")
        return {"ms_per_control_step": measured}

    def _pair(self, trials: int, **hyper: Any) -> tuple[RobotVectorEnv, Any]:
        env = RobotVectorEnv(
            ENV, len(self.seeds), autoreset_mode="Disabled", delay_s=self.delay_s
        )  # fmt: skip
        env.max_episode_steps = trials * env.task.trial_steps  # pyright: ignore
        task = env.task
        agent = make_agent(
            KIND, task.observation_size, task.action_size, task.observation_scale,
            **{**self.hyper, **hyper},
        )  # fmt: skip
        return env, agent


class Reborn:
    """The same kind of brain, born with the weights that other lives have learnt."""

    def __init__(self, agent: Any, brains: RecurrentState):
        self.agent, self.brains = agent, brains

    def __getattr__(self, name: str) -> Any:
        return getattr(self.agent, name)

    def reset(self, parameters: Any, state: RecurrentState, ids: Any, rngs: Any) -> None:
        """Start new lives in the rows `ids` with what is learnt or drawn once for a life."""
        self.agent.reset(parameters, state, ids, rngs)
        for name in ("recurrent_weight", "input_weight", "initial", "mean_error"):
            getattr(state, name)[ids] = getattr(self.brains, name)[ids]
        state.potential[ids] = state.mean_potential[ids] = state.initial[ids]


def blocks(wrong: NDArray) -> NDArray:
    """Return the errors (n, blocks) of wrong answers (trials, n), in blocks of 250 trials."""
    whole = wrong[: len(wrong) // 250 * 250] if len(wrong) >= 250 else wrong
    return whole.reshape(-1, min(250, len(wrong)), wrong.shape[1]).mean(axis=1).T


def tell(name: str, wrong: NDArray, graded: NDArray) -> list[float]:
    """Print a line for trials (trials, n); returns the share of wrong answers of each (n,)."""
    errors = wrong.mean(axis=0)
    told = interval(errors)
    print(
        f"{name:<30} {told.iqm:6.3f} [{told.low:6.3f}, {told.high:6.3f}] {errors.mean():6.3f} "
        f"{(errors <= GOOD).mean():7.2f} {graded.mean():6.3f}",
        flush=True,
    )
    return np.round(errors, 4).tolist()


if __name__ == "__main__":
    main()
