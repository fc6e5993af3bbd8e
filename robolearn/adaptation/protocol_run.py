"""Run a protocol on one trained agent: disturbed lives, intact twins, and twins that stop learning.

Every life under a condition has companions with the same agent, seed and noise: its intact twin,
and for a plastic agent two lives, disturbed and intact, whose plasticity is frozen at the instant
of the onset, two that are frozen there at the mean of what was learned shortly before, and, if the
protocol yokes, two that change from then on as the brain of another life does. Each distinct life
is lived once, all of them in large batches.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robolearn.adaptation.evaluation import ConditionResult, Evaluation, LifeRecord
from robolearn.adaptation.life_cache import LifeCache
from robolearn.adaptation.metrics import (
    PairedLives,
    early_mean,
    late_mean,
    measure,
    plasticity_benefit,
    recovery,
)
from robolearn.adaptation.paired_lives import (
    INTACT,
    Ending,
    Key,
    LifePlan,
    Lived,
    Report,
    Subject,
    live_all,
    plan_lives,
)
from robolearn.adaptation.protocol import SEEDS, Condition, Protocol
from robolearn.adaptation.savings import forgetting, savings
from robolearn.adaptation.windows import Windows, windows_of
from robolearn.agents.protocol import Agent, learned_of
from robolearn.envs.task import Task
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.learning.evolution import life_seeds
from robolearn.lifetime import NEVER
from robolearn.shifts import ShiftPlan
from robolearn.tracking.provenance import describe_software
from robolearn.worlds import World, load_world

_MAX_ROWS = 128


def evaluate(
    env_name: str,
    agent: Agent,
    genome: NDArray[np.floating],
    protocol: Protocol,
    *,
    trained_on: tuple[ShiftPlan, ...] = (),
    seed: int = 0,
    env_options: dict[str, Any] | None = None,
    traits: dict[str, Any] | None = None,
    cache: LifeCache | None = None,
    progress: Report | None = None,
    max_rows: int = _MAX_ROWS,
    threads: int | None = None,
    trace_hz: float = 10.0,
    command: str | None = None,
) -> Evaluation:
    """Run `protocol` on one agent. The result depends neither on `max_rows` nor on `threads`.

    Args:
        env_name: folder under `envs/`.
        agent: the kind of brain. If it is not plastic, there are no frozen twins.
        genome: (g,), the trained one.
        protocol: the conditions.
        trained_on: what could happen in the lives of training; decides what was seen.
        seed: chooses lives and onsets; equal seeds compare agents on equal terms.
        env_options: `variant` and parameters of the task, as the agent was trained with; those of
            the protocol stand in their place.
        traits: what tells the agent from others of its kind and genome; needed with `cache` alone.
        cache: of lives that were lived before; None lives all of them.
        progress: called with (lives done, lives in all) many times a batch.
        max_rows: most individuals in one batch.
        threads: of the physics; None takes every core.
        trace_hz: rate of the performance traces that are kept of every life; 0 for none. Where time
            is counted in trials, a trace has every trial.
        command: to be kept with the result.

    Raises:
        UserError: a condition does not fit the world, or the agent does not fit the env.
    """
    options = {**(env_options or {}), **protocol.parameters}
    world = load_world(env_name, options.get("variant"))
    conditions = protocol.conditions(world, trained_on, alike_legs(agent, world))
    seeds = life_seeds(seed, SEEDS[protocol.seeds], 0, protocol.episodes)
    plastic, tick = agent.is_plastic, protocol.tick(world)
    plan = plan_lives(conditions, seeds, world, tick, _endings(agent, protocol))
    task = _checked_task(env_name, options, agent, genome, protocol)
    subject = Subject(env_name, options, agent, genome, traits or {})
    lived = live_all(
        subject, plan, seeds, protocol, protocol.life_steps(world, task.trial_steps),
        max_rows=max_rows, threads=threads, cache=cache, progress=progress,
    )  # fmt: skip
    windows = {c.name: _windows(c, lived, plan, world, tick) for c in conditions}
    by_trial = protocol.trials is not None
    slice_ticks = max(1, round(1 / (trace_hz * tick))) if trace_hz > 0 else 0
    slice_ticks = min(slice_ticks, 1) if by_trial else slice_ticks
    intact = lived.rows([Key(INTACT, e) for e in range(protocol.episodes)])
    return Evaluation(
        env=env_name,
        env_options=options,
        agent=agent.kind,
        plastic=plastic,
        protocol={**vars(protocol), "templates": list(protocol.templates)},
        seed=seed,
        trained_on=[p.to_mapping() for p in trained_on],
        life_s=protocol.length(world),
        time_unit="trials" if by_trial else "s",
        measure=task.trial_score_name if by_trial else task.performance_name,
        unit="" if by_trial else task.performance_unit,
        trace_step_s=slice_ticks * tick,
        intact={
            "performance": float(intact.performance.mean(dtype=np.float64)),
            "total_reward": float(intact.total_reward.mean()),
            "fall_rate": float(intact.fell.mean()),
            "unstable_share": float(intact.unstable.mean()),
            "walked_share": float(np.mean(intact.performance.mean(axis=1) > protocol.walks_above)),
            "spikes_per_s": float(intact.spikes_per_s.mean()),
            "operations_per_s": float(intact.operations_per_s.mean()),
        },
        conditions=[
            _measure_condition(c, lived, windows[c.name], tick, protocol) for c in conditions
        ],
        lives=_records(lived, windows, seeds, tick, slice_ticks),
        software=describe_software(),
        command=command,
    )


def _endings(agent: Agent, protocol: Protocol) -> tuple[Ending, ...]:
    """Return how plasticity can end in this agent's lives."""
    if not agent.is_plastic:
        return ()
    if protocol.trials is not None or learned_of(agent, agent.new_state(1)) is None:
        return ("instant",)
    return ("instant", "mean", "yoked") if protocol.yoke else ("instant", "mean")


def alike_legs(agent: Agent, world: World) -> dict[str, list[str]]:
    """Return for each leg the others that the same weights drive; empty for a brain of one piece.

    Those are the legs whose motors have the same place in other copies of a module.
    """
    layout = getattr(agent, "layout", None)  # only brains of modules have one
    if layout is None:
        return {}
    place = {motor: k for outputs in layout.outputs.tolist() for k, motor in enumerate(outputs)}
    of_leg = {name: [place[motor] for motor in leg.motors] for name, leg in world.legs.items()}
    return {
        name: [other for other in of_leg if other != name and of_leg[other] == own]
        for name, own in of_leg.items()
    }


def _checked_task(
    env_name: str,
    options: dict[str, Any],
    agent: Agent,
    genome: NDArray[np.floating],
    protocol: Protocol,
) -> Task:
    """Return the task; raise UserError if the agent or the protocol was made for another env."""
    env = RobotVectorEnv(env_name, threads=1, **options)
    _check_fit(agent, env, genome)
    if protocol.trials is not None and not (env.task.trial_score_name and env.task.trial_steps):
        raise UserError(f"protocol {protocol.name} judges by trial, {env_name} has no trials")
    env.close()
    return env.task


def _check_fit(agent: Agent, env: RobotVectorEnv, genome: NDArray[np.floating]) -> None:
    """Raise UserError if the agent or its genome was made for another env."""
    ours = (agent.observation_size, agent.action_size)
    wanted = (env.task.observation_size, env.task.action_size)
    if ours != wanted:
        raise UserError(
            f"the agent has {ours[0]} observations and {ours[1]} actions, "
            f"{env.world.name} has {wanted[0]} and {wanted[1]}"
        )
    if np.shape(genome) != (agent.genome.size,):
        raise UserError(
            f"genome: expected shape ({agent.genome.size},) for agent {agent.kind!r}, "
            f"got {np.shape(genome)}"
        )


def _windows(
    condition: Condition, lived: Lived, plan: LifePlan, world: World, tick: float
) -> Windows:
    """Return where the lives of a condition are measured, in ticks of `tick`."""
    lives = [
        [_span(fixed, world, tick) for fixed in plan.shifts[Key(condition.name, episode)]]
        for episode in range(len(plan.onset[condition.name]))
    ]
    return windows_of(lives, lived.performance.shape[1])


def _span(plan: ShiftPlan, world: World, tick: float) -> tuple[int, int]:
    """Return (onset, end) in ticks of a plan whose case is drawn; NEVER where it lasts."""
    onset = round(plan.onset_s / tick)
    # What is over by itself, as a push, is a perturbation: all that follows it counts.
    if plan.end_s is None or any(np.isfinite(s.lasts_s(world)) for s in plan.shifts(world)):
        return onset, NEVER
    return onset, round(plan.end_s / tick)


def _measure_condition(
    condition: Condition,
    lived: Lived,
    windows: Windows,
    tick: float,
    protocol: Protocol,
) -> ConditionResult:
    """Measure one condition against its companions; windows in ticks of `tick`."""
    onset = windows.onset
    episodes = range(len(onset))
    shifted = lived.rows([Key(condition.name, e) for e in episodes])
    twin = lived.rows([Key(INTACT, e) for e in episodes])
    pairs = PairedLives(
        shifted.performance, twin.performance, windows, shifted.fall, tick, protocol.walks_above
    )
    # A condition with a time of its own comes once, whatever the spans of the protocol.
    spans = protocol.spans if len(condition.plans) > 1 else ()
    # A trial is right or wrong: five in a row tell more than one.
    back = recovery(pairs) if protocol.trials is None else recovery(pairs, hold_s=5, smoothing_s=5)
    metrics = {
        **measure(pairs, back),
        "reference_before": float(np.mean(_before(twin.performance, onset))),
        "early_performance": float(early_mean(shifted.performance, windows).mean()),
        "unstable_share": float(shifted.unstable.mean()),
        "reference_fall_rate": float(twin.fell.mean()),
        **_frozen_metrics(condition.name, lived, shifted, twin, windows, protocol.walks_above),
        "savings": savings(pairs, spans),
        "forgetting": forgetting(pairs, spans),
    }
    plans = [plan.to_mapping() for plan in condition.plans]
    return ConditionResult(
        condition.name, condition.group, condition.leg, condition.seen, plans, metrics
    )


def _frozen_metrics(
    condition: str,
    lived: Lived,
    shifted: Lived,
    twin: Lived,
    windows: Windows,
    walks_above: float,
) -> dict[str, float]:
    """Measure one condition against its frozen twins; NaN for those that were not lived.

    A benefit is NaN where such twins get nowhere intact: it would be what the shift costs, taken
    from nothing, and say of a brain that lives by its plasticity that it is better off without.
    """
    metrics = {}
    names: dict[Ending, tuple[str, str]] = {
        "instant": ("frozen", "plasticity_benefit"),
        "mean": ("mean_frozen", "mean_plasticity_benefit"),
        "yoked": ("yoked", "yoked_plasticity_benefit"),
    }
    for ending, (prefix, benefit) in names.items():
        ends: list[tuple[int, int, Ending]] = [
            (e, int(onset), ending) for e, onset in enumerate(windows.onset)
        ]
        metrics |= dict.fromkeys(
            (f"{prefix}_late_performance", f"{prefix}_fall_rate", benefit), float("nan")
        )
        if any(Key(condition, *end) not in lived.row_of for end in ends):
            continue
        frozen, frozen_twin = (
            lived.rows([Key(name, *end) for end in ends]) for name in (condition, INTACT)
        )
        late = [late_mean(x.performance, windows) for x in (shifted, frozen, twin, frozen_twin)]
        metrics[f"{prefix}_late_performance"] = float(late[1].mean())
        metrics[f"{prefix}_fall_rate"] = float(frozen.fell.mean())
        if late[3].mean() > walks_above:
            metrics[benefit] = plasticity_benefit(*late)
    return metrics


def _records(
    lived: Lived,
    windows: dict[str, Windows],
    seeds: NDArray[np.int64],
    tick: float,
    slice_ticks: int,
) -> list[LifeRecord]:
    """Write down every life; an intact one for each of the windows in which it is compared."""
    # In order, each once: windows are told apart by the onset and the ends of the late one.
    wanted: dict[tuple[str, int, int, int, int, bool], Windows] = {}
    for condition, its in windows.items():
        ticks = np.stack([its.onset, *its.late], axis=1)  # (episodes, 3)
        for episode, (onset, begin, end) in enumerate(ticks.tolist()):
            for name in (INTACT, condition):
                wanted[name, episode, onset, begin, end, False] = its.of(episode)
                if Key(name, episode, onset) in lived.row_of:
                    wanted[name, episode, onset, begin, end, True] = its.of(episode)
    records = []
    for (name, episode, onset, begin, end, frozen), own in wanted.items():
        life = lived.rows([Key(name, episode, onset if frozen else NEVER)])
        curve = life.performance
        records.append(
            LifeRecord(
                condition=name,
                episode=episode,
                seed=int(seeds[episode]),
                onset_s=onset * tick,
                frozen=frozen,
                total_reward=float(life.total_reward[0]),
                steps=int(life.steps[0]),
                fell=bool(life.fell[0]),
                fall_s=float(life.fall[0] * tick) if life.fell[0] else None,
                unstable=bool(life.unstable[0]),
                mean=float(curve.mean(dtype=np.float64)),
                before=float(_before(curve, own.onset)[0]),
                early=float(early_mean(curve, own)[0]),
                late=float(late_mean(curve, own)[0]),
                trace=_trace(curve[0], slice_ticks),
                late_from_s=begin * tick,
                late_until_s=end * tick,
            )
        )
    return records


def _before(performance: NDArray[Any], onset: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each episode's mean (episodes,) of (episodes, T) before its onset; NaN at birth."""
    sums = [float(p[:t].sum(dtype=np.float64)) for p, t in zip(performance, onset, strict=True)]
    return np.where(onset > 0, np.array(sums) / np.maximum(onset, 1), np.nan)


def _trace(performance: NDArray[Any], slice_ticks: int) -> list[float]:
    """Return the means of slices of `performance` (T,), rounded to 0.1 mm/s; a rest is left out."""
    if slice_ticks == 0:
        return []
    whole = len(performance) // slice_ticks * slice_ticks
    slices = performance[:whole].reshape(-1, slice_ticks)
    return np.round(slices.mean(axis=1, dtype=np.float64), 4).tolist()
