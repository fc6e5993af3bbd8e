"""Every trained agent that is shipped still does what its metrics say."""

import json

import numpy as np
import pytest

from robolearn.definitions import read_yaml
from robolearn.learning.evolution import TEST, life_seeds
from robolearn.lifetime import live
from robolearn.zoo import load_trained, make_env
from robolearn.zoo.trained_agent import name_of, zoo_entries

LIVES = 8
# Longer lives, of thousands of trials, are for the slow suite.
LONG_S = 1000.0


def entries():
    for folder in zoo_entries():
        is_long = (read_yaml(folder / "config.yaml")["env"]["life_s"] or 0) > LONG_S
        marks = [pytest.mark.slow] if is_long else []
        yield pytest.param(folder, id=name_of(folder), marks=marks)


@pytest.mark.parametrize("folder", list(entries()))
def test_a_zoo_agent_performs_as_its_metrics_say(folder):
    trained = load_trained(folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    # Of the recipe's own world; a protocol may measure another thing, such as a share of trials.
    # But where training had shifts, only the protocol's intact lives are all intact.
    if trained.config.env.shifts:
        evaluation = metrics["evaluation"]
        told = evaluation["intact"]["performance"]
        env = make_env(trained.config, LIVES, evaluation["life_s"], ())
    else:
        told = metrics["validation"]["performance"]
        env = make_env(trained.config, LIVES, shifts=())
    parameters = trained.agent.express(np.repeat(trained.genome[None], LIVES, axis=0))
    lives = live(env, trained.agent, parameters, life_seeds(0, TEST, 0, LIVES))
    own = lives.mean_performance
    # Processors differ by a few per cent, the lives of some bodies by far more.
    error = own.std(ddof=1) / np.sqrt(LIVES)
    assert own.mean() == pytest.approx(told, abs=max(0.1 * abs(told), 3 * error))


@pytest.mark.parametrize("folder", list(zoo_entries()), ids=name_of)
def test_a_card_holds_the_figures_of_its_metrics(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    card = (folder / "card.md").read_text()
    assert card.startswith(f"# {name_of(folder)}\n")
    assert f"| seed | {metrics['seed']} |" in card
    assert f"| genome | {metrics['genome_size']} elements |" in card
    figures = {"validation": metrics["validation"]}
    if "evaluation" in metrics:  # some worlds have no protocol of their own
        figures["intact"] = metrics["evaluation"]["intact"]
    for title, told in figures.items():
        assert f"| {title}: performance | {told['performance']:.4g} |" in card


def test_there_is_something_in_the_zoo():
    assert list(zoo_entries())
