"""Every trained agent that is shipped still does what its metrics say."""

import json

import numpy as np
import pytest

from robolearn.learning.evolution import TEST, life_seeds
from robolearn.lifetime import live
from robolearn.zoo import load_trained, make_env
from robolearn.zoo.trained_agent import name_of, zoo_entries

LIVES = 8


@pytest.mark.parametrize("folder", list(zoo_entries()), ids=name_of)
def test_a_zoo_agent_performs_as_its_metrics_say(folder):
    trained = load_trained(folder)
    # Of the recipe's own world; a protocol may measure another thing, such as a share of trials.
    assert not trained.config.env.shifts, "half of its validation lives were not intact"
    told = json.loads((folder / "metrics.json").read_text())["validation"]["performance"]
    env = make_env(trained.config, LIVES, None, ())
    parameters = trained.agent.express(np.repeat(trained.genome[None], LIVES, axis=0))
    lives = live(env, trained.agent, parameters, life_seeds(0, TEST, 0, LIVES))
    # Lives differ by a few per cent; processors by less.
    assert lives.mean_performance.mean() == pytest.approx(told, rel=0.1)


@pytest.mark.parametrize("folder", list(zoo_entries()), ids=name_of)
def test_a_card_holds_the_figures_of_its_metrics(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    card = (folder / "card.md").read_text()
    assert card.startswith(f"# {name_of(folder)}\n")
    assert f"| seed | {metrics['seed']} |" in card
    assert f"| genome | {metrics['genome_size']} elements |" in card
    for figures, title in (
        (metrics["validation"], "validation"),
        (metrics["evaluation"]["intact"], "intact"),
    ):
        assert f"| {title}: performance | {figures['performance']:.4g} |" in card


def test_there_is_something_in_the_zoo():
    assert list(zoo_entries())
