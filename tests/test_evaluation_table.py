"""Claims about the tables of evaluations, of one run and of several."""

import dataclasses
import io
import math
import re

import pytest
from rich.console import Console
from trot import NOTHING, condition, run

from robolearn.adaptation.leaderboard import Figure, Member, make_leaderboard
from robolearn.adaptation.paired_lives import INTACT
from robolearn.adaptation.protocol import Protocol
from robolearn.adaptation.table import print_evaluation, print_summary, span, summarise
from robolearn.errors import UserError


def printed(show, what):
    file = io.StringIO()
    show(what, Console(file=file))
    return file.getvalue()


def test_the_table_is_plain_in_a_file_and_fits(learned):
    text = printed(print_evaluation, learned)
    assert "\x1b" not in text
    assert text.isprintable() or set(re.findall(r"[^ -~]", text)) <= set("\n−–")
    assert max(len(line) for line in text.splitlines()) <= 100
    wide = Protocol("x", ("limb_damage:front_left,front_right,rear_left:dead,locked@0.5s..0.6s",))
    long = printed(print_evaluation, run(shifts=wide.templates, episodes=1, life_s=1.0))
    assert max(len(line) for line in long.splitlines()) <= 100


def test_a_terminal_of_eighty_columns_is_enough(learned):
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    print_evaluation(learned, console)
    text = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())
    assert max(len(line) for line in text.splitlines()) <= 80
    assert len(re.findall(r"^ front_left  *unseen", text, re.MULTILINE)) == 1
    assert console.width == 80


def test_the_table_shows_absolute_speed_beside_the_ratios(trotted):
    text = printed(print_evaluation, trotted)
    (row,) = re.findall(r"^ front_left .*$", text, re.MULTILINE)
    metrics = condition(trotted, "limb_damage:front_left:dead").metrics
    for value in ("late_reference", "late_performance", "retention", "drop"):
        assert f"{metrics[value] + 0.0:.2f}" in row
    assert "one training run: legs and episodes are no replicates, so no interval" in text
    assert "the agent cannot learn in life" in text


def test_names_with_a_colon_are_no_emoji():
    shifts = ("motor_gain:front_left:0.3", "motor_gain:rear_left:0.3")
    assert "motor_gain:leg:0.3" in printed(print_evaluation, run(shifts=shifts, episodes=1))


def other_runs(evaluation, shifts):
    """Return copies of an evaluation whose retention differs by `shifts`."""
    return [
        dataclasses.replace(
            evaluation,
            conditions=[
                dataclasses.replace(
                    c, metrics={**c.metrics, "retention": c.metrics["retention"] + s}
                )
                for c in evaluation.conditions
            ],
        )
        for s in shifts
    ]


def test_intervals_come_from_several_runs_and_never_from_one(trotted):
    summary = summarise(other_runs(trotted, (-0.1, 0.0, 0.1)))
    found = next(c for c in summary.conditions if c.name == NOTHING).metrics["retention"]
    assert found.iqm == pytest.approx(1.0)
    assert found.low < 0.9
    assert found.high > 1.1
    assert found.method == "t"
    assert summary.aggregates["all"]["retention"].method == "t"
    assert summary.worst_leg_retention["limb_damage:dead"].method == "t"
    alone = summarise([trotted])
    assert alone.conditions[0].metrics["retention"].method == "none"
    assert "needs more than one training run" in printed(print_summary, alone)
    text = printed(print_summary, summary)
    assert f"1.00 [{found.low:.2f}, {found.high:.2f}]".replace("[0.", "[.") in text
    assert max(len(line) for line in text.splitlines()) <= 100


def with_retention(evaluation, values):
    """Return a copy of an evaluation with these retentions, one for each condition."""
    conditions = [
        dataclasses.replace(c, metrics={**c.metrics, "retention": value})
        for c, value in zip(evaluation.conditions, values, strict=True)
    ]
    return dataclasses.replace(evaluation, conditions=conditions)


def test_where_a_retention_is_undefined_no_leg_is_called_the_worst(trotted):
    group = "limb_damage:dead"  # its two legs are the first two conditions
    for values in ([math.nan] * 4, [math.nan, 0.9, 0.5, 1.0], [0.9, math.nan, 0.5, 1.0]):
        evaluation = with_retention(trotted, values)
        leg, retention = evaluation.worst_legs[group]
        assert leg is None
        assert math.isnan(retention)
        assert evaluation.to_json()["worst_legs"][group] == [None, None]
        row = re.findall(rf"^ {group} .*$", printed(print_evaluation, evaluation), re.MULTILINE)
        assert [line.split() for line in row] == [[group, "–"]]


def test_a_run_stands_with_its_mean_over_conditions_as_on_the_leaderboard(trotted):
    hard_and_easy = [(0.0 + x, 0.9, 0.9 - x, 1.0 + x) for x in (-0.1, 0.0, 0.0, 0.0, 0.1)]
    runs = [with_retention(trotted, values) for values in hard_and_easy]
    (row,) = make_leaderboard([Member("trot", runs, ["x"] * 5)]).rows
    summary = summarise(runs)
    found = summary.aggregates["all"]["retention"]
    assert found.iqm == pytest.approx(0.7)  # over all 20 figures at once it is 0.89
    assert found[:3] == row.figures["retention"][:3]
    assert summary.aggregates["unseen"]["retention"][:3] == row.groups["unseen"][:3]


def test_an_undefined_condition_is_left_out_of_the_retention_of_one_run_as_of_several():
    evaluation = run(shifts=("motor_gain:all:0.6@0.5s", "motor_gain:all:0.6@1s"))
    twins = (INTACT, 1.0)  # of the second condition, here made to stand still in the end
    lives = [
        dataclasses.replace(life, late=life.late * ((life.condition, life.onset_s) != twins))
        for life in evaluation.lives
    ]
    first = evaluation.conditions[0].metrics["retention"]
    still = dataclasses.replace(with_retention(evaluation, (first, math.nan)), lives=lives)
    boards = [make_leaderboard([Member("x", [still] * n, ["x"] * n)]) for n in (1, 2)]
    one, two = (board.rows[0].figures["retention"] for board in boards)
    assert one.value == pytest.approx(first)
    assert two.value == pytest.approx(first)
    assert (one.over, two.over) == ("lives", "runs")
    assert one.low < first < one.high


def test_only_a_leading_zero_is_left_out_of_the_ends_of_an_interval():
    assert span(Figure(10.5, 10.05, 20.31, "runs")) == "10.50 [10.05, 20.31]"
    assert span(Figure(0.5, -0.05, 0.31, "runs"), "+.2f") == "+0.50 [-.05, .31]"
    assert span(Figure(-100.2, -100.4, 0.0, "lives")) == "-100.20 [-100.40, .00]"
    assert span(Figure(0.5, math.nan, math.nan, "")) == "0.50"


def test_a_metric_that_is_undefined_in_a_run_has_no_interval(trotted):
    summary = summarise(other_runs(trotted, (0.0, math.nan)))
    assert summary.conditions[0].metrics["retention"].method == "undefined"
    assert summary.conditions[0].metrics["drop"].method == "t"
    assert summary.conditions[0].metrics["plasticity_benefit"].method == "undefined"


def test_evaluations_of_different_things_are_not_pooled(trotted, learned):
    with pytest.raises(UserError, match="evaluations differ in agent"):
        summarise([trotted, learned])
    seen = dataclasses.replace(
        trotted, conditions=[dataclasses.replace(c, seen="seen") for c in trotted.conditions]
    )
    with pytest.raises(UserError, match="conditions or training"):
        summarise([trotted, seen])
    with pytest.raises(UserError, match="at least one evaluation"):
        summarise([])
