"""Claims about evaluations, tried on brains whose behaviour is known beforehand."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from trot import ALL_AT_ONCE, GAIT, LIMP, NOTHING, PlasticTrot, Trot, condition, run

from robolearn.adaptation.cost import graded_operations_per_s
from robolearn.adaptation.leaderboard import Member, make_leaderboard
from robolearn.adaptation.paired_lives import INTACT
from robolearn.adaptation.protocol import Protocol
from robolearn.adaptation.protocol_run import evaluate
from robolearn.agents.protocol import spikes_of
from robolearn.agents.registry import make_agent
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.shifts import parse_shifts


def lives(evaluation, name, frozen=False):
    return [x for x in evaluation.lives if (x.condition, x.frozen) == (name, frozen)]


def test_the_intact_robot_walks(trotted):
    assert trotted.intact["performance"] > 0.3
    assert trotted.intact["fall_rate"] == 0
    assert trotted.intact["walked_share"] == 1


def test_a_shift_that_changes_nothing_costs_nothing_to_the_last_bit(trotted):
    metrics = condition(trotted, NOTHING).metrics
    assert metrics["retention"] == 1
    assert metrics["drop"] == metrics["robustness_area"] == 0
    assert math.isnan(metrics["recovered_share"])
    for life, twin in zip(lives(trotted, NOTHING), lives(trotted, INTACT), strict=True):
        assert dataclasses.replace(life, condition=INTACT) == twin


def test_a_robot_gone_limp_falls_and_keeps_nothing(trotted):
    metrics = condition(trotted, LIMP).metrics
    assert metrics["fall_rate"] == 1
    assert metrics["retention"] == metrics["late_performance"] == 0
    assert metrics["late_reference"] > 0.3
    for life in lives(trotted, LIMP):
        assert life.fell
        assert life.onset_s <= life.fall_s < 2.0
        assert life.steps * 0.02 == pytest.approx(life.fall_s + 0.02)


def test_a_dead_leg_slows_the_robot_down(trotted):
    metrics = condition(trotted, "limb_damage:front_left:dead").metrics
    assert metrics["retention"] < 0.9
    assert metrics["drop"] > 0.05


def test_before_the_onset_a_life_is_its_intact_twin_and_onsets_are_in_mid_life(trotted):
    twins = {life.episode: life for life in lives(trotted, INTACT)}
    for name in ALL_AT_ONCE:
        for life in lives(trotted, name):
            assert 0.9 - 0.01 <= life.onset_s <= 1.1 + 0.01
            assert life.seed == twins[life.episode].seed
            assert life.before == twins[life.episode].before
            assert life.onset_s == twins[life.episode].onset_s
            whole = int(life.onset_s / trotted.trace_step_s)
            assert life.trace[:whole] == twins[life.episode].trace[:whole]


def test_the_metrics_are_those_of_the_raw_lives(trotted):
    for result in trotted.conditions:
        late = np.mean([life.late for life in lives(trotted, result.name)])
        twin = np.mean([life.late for life in lives(trotted, INTACT)])
        assert result.metrics["late_performance"] == pytest.approx(late)
        assert result.metrics["retention"] == pytest.approx(late / twin)


def test_traces_hold_the_life_at_ten_hertz(trotted):
    assert trotted.trace_step_s == pytest.approx(0.1)
    for life in trotted.lives:
        assert len(life.trace) == 20
        before = np.mean(life.trace[: int(life.onset_s / 0.1)])
        assert before == pytest.approx(life.before, abs=0.1)


def test_an_agent_that_cannot_learn_has_no_frozen_twins(trotted):
    assert not trotted.plastic
    assert not any(life.frozen for life in trotted.lives)
    assert math.isnan(condition(trotted, LIMP).metrics["plasticity_benefit"])
    assert len(trotted.lives) == 2 * (len(ALL_AT_ONCE) + 1)


def test_plasticity_is_frozen_at_the_very_onset(learned):
    for name in (INTACT, *ALL_AT_ONCE):
        for life, frozen in zip(lives(learned, name), lives(learned, name, True), strict=True):
            assert (life.onset_s, life.seed) == (frozen.onset_s, frozen.seed)
            assert life.before == frozen.before
    for life, frozen in zip(lives(learned, INTACT), lives(learned, INTACT, True), strict=True):
        assert life.late > 0.3
        # It rocks back from the stop and stands.
        assert frozen.late < 0.1


def test_plasticity_benefit_is_the_difference_in_differences_of_the_raw_lives():
    learned = run(PlasticTrot(), its={"walks_above": -1.0})

    def late(name, frozen):
        return np.array([life.late for life in lives(learned, name, frozen)])

    for result in learned.conditions:
        hurt = late(result.name, False) - late(result.name, True)
        intact = late(INTACT, False) - late(INTACT, True)
        benefit = result.metrics["plasticity_benefit"]
        assert benefit == pytest.approx(np.mean(hurt - intact))
    # Without damage there is nothing that plasticity could win beyond what it wins intact.
    assert condition(learned, NOTHING).metrics["plasticity_benefit"] == 0
    assert condition(learned, LIMP).metrics["plasticity_benefit"] < -0.3


def test_from_frozen_twins_that_get_nowhere_no_benefit_is_told(learned):
    """It would be what the damage costs: -0.3 m/s for a brain that lives by its plasticity."""
    for result in learned.conditions:
        assert math.isnan(result.metrics["plasticity_benefit"])
        assert math.isfinite(result.metrics["frozen_late_performance"])
    row = make_leaderboard([Member("trot", [learned], ["runs/trot"])]).rows[0]
    assert math.isnan(row.benefit_p)
    assert math.isnan(row.figures["plasticity_benefit"].value)


def test_each_onset_of_the_users_has_intact_twins_frozen_at_that_instant():
    evaluation = run(PlasticTrot(), ("motor_gain:all:0@0.5s", "motor_gain:all:0@1s"), episodes=1)
    assert [life.onset_s for life in lives(evaluation, INTACT, True)] == [0.5, 1.0]
    early, late = lives(evaluation, INTACT, True)
    assert early.total_reward != late.total_reward
    first, second = lives(evaluation, INTACT)
    assert first.total_reward == second.total_reward


WEAK = "motor_gain:all:0.6@0.4s"


def test_damage_that_heals_is_gone_at_the_end_and_measured_before():
    evaluation = run(shifts=(f"{WEAK}-0.8s", WEAK), life_s=3.0)
    healed, lasting = evaluation.conditions
    assert healed.metrics["drop"] == lasting.metrics["drop"]
    for one, other in zip(lives(evaluation, f"{WEAK}-0.8s"), lives(evaluation, WEAK), strict=True):
        assert one.trace[:8] == other.trace[:8]
        assert one.trace[8:] != other.trace[8:]
        assert (one.late_from_s, one.late_until_s) == pytest.approx((0.7, 0.8))
        assert one.late == pytest.approx(one.trace[7], abs=1e-4)
        assert (other.late_from_s, other.late_until_s) == pytest.approx((2.26, 3.0))


def test_what_is_over_at_once_or_by_itself_is_measured_by_what_follows():
    shifts = ("motor_gain:all:0@0.4s-0.5s", "push:1:0:0.5@0.4s", "push:1:0:0.5@0.4s-1.4s")
    evaluation = run(shifts=shifts, episodes=1)
    assert {life.late_until_s for life in evaluation.lives} == {2.0}
    assert len(lives(evaluation, INTACT)) == 1


@pytest.fixture(scope="module")
def worn():
    """Lives of a walker that never learns, worn twice, beside a wear of the same onset that lasts.

    Between the two spans and after the second it walks as if nothing had been.
    """
    wear = "joint_wear:all:6"
    shifts = (wear, f"{wear}@2.5s", f"{wear}@2.5s-5s")
    spans = ((0.25, 0.5), (0.75, 0.95))
    protocol = Protocol("worn", shifts, episodes=2, life_s=10.0, spans=spans)
    return evaluate("quadruped", Trot(), GAIT, protocol)


def test_who_cannot_learn_recovers_from_nothing_that_heals(worn):
    for result in worn.conditions:
        metrics = result.metrics
        assert metrics["drop"] > 0.2
        assert metrics["retention"] == pytest.approx(1 - metrics["drop"], abs=0.15)
        assert metrics["robustness_area"] == pytest.approx(metrics["drop"], abs=0.1)
        assert metrics["adaptation"] == pytest.approx(0, abs=0.1)
        assert metrics["recovered_share"] == 0
    assert worn.conditions[0].metrics["forgetting"] < 0.1


def test_a_life_is_compared_with_its_twin_in_the_windows_of_its_own_shift(worn):
    # All begin at the same instant and end at others: the intact twin has a record for each.
    windows = [life.windows for life in lives(worn, INTACT) if life.episode == 0]
    assert windows == [pytest.approx(w) for w in ((2.5, 7.5, 9.5), (2.5, 7.5, 10), (2.5, 3.5, 5))]
    for result in worn.conditions:
        own = lives(worn, result.name)
        twins = [x for x in lives(worn, INTACT) if x.windows == own[0].windows]
        assert result.metrics["late_performance"] == pytest.approx(np.mean([x.late for x in own]))
        assert result.metrics["late_reference"] == pytest.approx(np.mean([x.late for x in twins]))
    (row,) = make_leaderboard([Member("trot", [worn], ["trot"])]).rows
    retention = np.mean([c.metrics["retention"] for c in worn.conditions])
    assert row.figures["retention"].over == "lives"
    assert row.figures["retention"].value == pytest.approx(retention)


@pytest.mark.parametrize("kind", ["plastic_trot", "hebbian"])
def test_the_result_depends_neither_on_batches_nor_on_threads(kind):
    agent, genome = PlasticTrot(), GAIT
    if kind == "hebbian":
        task = RobotVectorEnv("quadruped").task
        agent = make_agent("hebbian", task.observation_size, 12, task.observation_scale)
        genome = agent.genome.initial(np.random.default_rng(3))
    protocol = Protocol("short", ALL_AT_ONCE[:2], episodes=2, life_s=1.0)

    def result(max_rows, threads):
        found = evaluate(
            "quadruped", agent, genome, protocol, seed=5, max_rows=max_rows, threads=threads
        )
        return found.to_json()

    large = result(64, 2)
    assert large == result(5, 1)
    assert large == result(2, 1)


def test_another_seed_has_other_lives_and_other_onsets():
    first, second = (run(shifts=[NOTHING], episodes=1, seed=seed, life_s=1.0) for seed in (1, 2))
    assert first.lives[0].seed != second.lives[0].seed
    assert first.lives[0].total_reward != second.lives[0].total_reward


def test_json_keeps_everything(trotted, learned):
    for evaluation in (trotted, learned):
        told = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))
        assert {field.name for field in dataclasses.fields(evaluation)} < set(told)
        assert told["lives"] == [vars(life) for life in evaluation.lives]
        for ours, theirs in zip(told["conditions"], evaluation.conditions, strict=True):
            finite = {k: v if math.isfinite(v) else None for k, v in theirs.metrics.items()}
            assert ours == {**vars(theirs), "metrics": finite}
        assert told["worst_legs"].keys() == evaluation.worst_legs.keys()
    stamp = trotted.to_json()
    assert stamp["software"]["mujoco"]
    assert stamp["software"]["numpy"]
    assert stamp["command"] == "robolearn evaluate trot"


def test_a_shift_at_birth_has_no_performance_before():
    evaluation = run(shifts=["limb_damage:front_left:dead@0s"], episodes=1, life_s=1.0)
    (life,) = lives(evaluation, "limb_damage:front_left:dead@0s")
    assert (life.onset_s, math.isnan(life.before)) == (0, True)
    assert evaluation.to_json()["lives"][-1]["before"] is None


def test_progress_runs_to_its_end_and_never_back():
    told = []
    run(episodes=1, life_s=1.5, max_rows=3, progress=lambda done, total: told.append((done, total)))
    done, totals = zip(*told, strict=True)
    assert list(done) == sorted(done)
    assert set(totals) == {done[-1]}
    assert len(set(done)) > 2


def test_what_was_seen_is_told_apart_in_the_means():
    trained = parse_shifts(["limb_damage:front_left:dead@3s..6s"])
    evaluation = run(shifts=(*ALL_AT_ONCE[:2], NOTHING), episodes=1, trained_on=trained)
    means = evaluation.aggregates
    assert {name: m["conditions"] for name, m in means.items()} == {
        "seen": 1, "unseen": 2, "all": 3,
    }  # fmt: skip
    retention = {c.name: c.metrics["retention"] for c in evaluation.conditions}
    assert means["seen"]["retention"] == retention["limb_damage:front_left:dead"]
    assert means["all"]["retention"] == pytest.approx(np.mean(list(retention.values())))
    legs = ("front_left", "rear_left")
    worst = min(legs, key=lambda leg: retention[f"limb_damage:{leg}:dead"])
    assert evaluation.worst_legs["limb_damage:dead"][0] == worst


def test_an_agent_of_another_env_is_refused():
    agent = Trot()
    agent.observation_size = 38
    with pytest.raises(UserError, match="the agent has 38 observations and 12 actions, quadruped"):
        run(agent)
    protocol = Protocol("short", ALL_AT_ONCE, life_s=1.0)
    with pytest.raises(UserError, match=re.escape("genome: expected shape (5,) for agent 'trot'")):
        evaluate("quadruped", Trot(), GAIT[:4], protocol)


def test_the_cost_of_a_brain_worked_by_hand():
    spiking = make_agent("spiking", 10, 2, None, hidden=5, spike_steps=4, control_step_s=0.02)
    state = spiking.new_state(1)
    state.readout_trace[:] = 0.1
    # 50 graded synapses in 50 control steps a second; spikes that reach 2 units each.
    rate = 5 * 0.1 / 0.005
    np.testing.assert_allclose(np.array(spikes_of(spiking, state)), [[rate], [50 * 50 + rate * 2]])
    # The inputs are 10 senses, reward, trial end and 2 outputs; spikes reach outputs and modulator.
    own = make_agent("neuromodulated", 10, 2, None, hidden=5, neuron="spiking", control_step_s=0.02)
    state = own.new_state(1)
    state.hidden[:] = 0.1
    rate = 5 * 0.1 / (0.02 / own.hyper.spike_steps)
    costs = [[rate], [5 * 14 * 50 + rate * (2 + 1)]]
    np.testing.assert_allclose(np.array(spikes_of(own, state)), costs)
    rates = make_agent("neuromodulated", 10, 2, None, hidden=5, neuron="rate")
    assert spikes_of(rates, rates.new_state(1)) is None
    mlp = make_agent("mlp", 10, 2, None, hidden=(5,))
    assert spikes_of(mlp, mlp.new_state(1)) is None
    assert graded_operations_per_s(mlp, 0.02) == pytest.approx((50 + 10) * 50)
    for innate in ("evolved", "random"):
        plastic = make_agent("hebbian", 10, 2, None, hidden=(5,), innate=innate)
        assert graded_operations_per_s(plastic, 0.02) == pytest.approx((50 + 10) * 50)
    # Weights that are drawn at birth are no genes: 200² in each substep, 200 · 4 of the inputs.
    kind = "node_perturbation_recurrent"
    drawn = make_agent(kind, 4, 1, None, units=200, substeps=1)
    assert graded_operations_per_s(drawn, 0.02) == pytest.approx((40_000 + 800) / 0.02)
    drawn = make_agent(kind, 4, 1, None, units=200, substeps=3)
    assert graded_operations_per_s(drawn, 0.02) == pytest.approx((3 * 40_000 + 800) / 0.02)


def test_spikes_are_counted_as_the_network_fires_them():
    task = RobotVectorEnv("quadruped").task
    size = task.observation_size
    agent = make_agent("spiking", size, 12, task.observation_scale, hidden=6)
    genome = agent.genome.initial(np.random.default_rng(0))
    protocol = Protocol("short", (NOTHING,), episodes=1, life_s=2.0)
    lively = evaluate("quadruped", agent, genome, protocol).intact
    assert 0 < lively["spikes_per_s"] < 6 * 4 / 0.02
    # Silent hidden units leave the operations of the senses alone.
    graded = 6 * size / 0.02
    assert lively["operations_per_s"] == pytest.approx(graded + 12 * lively["spikes_per_s"])
    mute = make_agent("spiking", size, 12, task.observation_scale, hidden=6, silence_hidden=True)
    silent = evaluate("quadruped", mute, genome, protocol).intact
    assert (silent["spikes_per_s"], silent["operations_per_s"]) == (0, pytest.approx(graded))
    assert math.isnan(run(Trot(), episodes=1, life_s=1.0).intact["spikes_per_s"])
