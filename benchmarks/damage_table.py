"""Retention by kind of damage, from the raw numbers of `robolearn compare --json`.

    robolearn compare RUN ... --json compared.json
    python benchmarks/damage_table.py compared.json --json benchmarks/quadruped_damage.json
    python benchmarks/damage_table.py benchmarks/quadruped_damage.json

Prints the mean over the legs or severities of each kind, for every recipe (IQM and
95 % interval over its training seeds) and run, and keeps the figures of every condition without
its lives.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from robolearn.adaptation.statistics import interval
from robolearn.exits import run_program

# Files of older commits lack what frozen twins did, those frozen at the mean above all; protocols
# without `yoke` have none that are yoked.
FROZEN = ("frozen_late_performance", "mean_frozen_late_performance", "yoked_late_performance")
BENEFITS = ("plasticity_benefit", "mean_plasticity_benefit", "yoked_plasticity_benefit")
METRICS = ("retention", "fall_rate", "late_performance", "late_reference", *FROZEN, *BENEFITS)


def main() -> None:
    """Print the table, write the figures."""
    parser = argparse.ArgumentParser(description="Tell retention by kind of damage.")
    parser.add_argument("compared", type=Path, nargs="+")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    files = [json.loads(file.read_text()) for file in options.compared]
    runs = [
        run
        for file in files
        for run in (file["runs"] if "runs" in file else map(figures, file["evaluations"]))
    ]
    for recipe in dict.fromkeys(run["recipe"] for run in runs):
        of_recipe = [run for run in runs if run["recipe"] == recipe]
        met = {tuple(condition["name"] for condition in run["conditions"]) for run in of_recipe}
        if len(met) > 1:
            parser.error(f"{recipe}: its runs did not meet the same conditions in the same order")
        print(f"{recipe}, {len(of_recipe)} runs")
        for row, values in rows(of_recipe).items():
            found = interval(np.array(values))
            ends = "" if len(values) == 1 else f" [{found.low:5.2f}, {found.high:5.2f}]"
            seeds = " ".join(f"{value:5.2f}" for value in values)
            print(f"  {row:34} {found.iqm:5.2f}{ends}  of the seeds {seeds}")
    if options.json is not None:
        options.json.write_text(json.dumps({"runs": runs}, indent=1) + "\n")


def rows(runs: list[dict]) -> dict[str, list[float]]:
    """Return the rows of the table of one recipe, a value for each run."""
    conditions = runs[0]["conditions"]
    table = {"intact": [run["intact"]["performance"] for run in runs]}

    def means(name: str, chosen: list[int]) -> None:
        values = np.array([[run["conditions"][i]["retention"] for i in chosen] for run in runs])
        table[f"{name} ({len(chosen)})"] = values.mean(axis=1).tolist()
        table[f"{name}, worst"] = values.min(axis=1).tolist()

    for key in ("group", "seen"):
        for value in dict.fromkeys(condition[key] for condition in conditions):
            means(value, [i for i, c in enumerate(conditions) if c[key] == value])
    means("all", list(range(len(conditions))))
    for metric in ("fall_rate", "late_performance", *FROZEN, *BENEFITS):
        values = [[condition.get(metric) for condition in run["conditions"]] for run in runs]
        if not any(None in of_run for of_run in values):
            table[metric] = np.mean(values, axis=1).tolist()
    alive = np.array(table["late_performance"])
    for metric in FROZEN:
        if metric in table:
            ending = metric.removesuffix("_late_performance")
            table[f"alive - {ending}"] = (alive - table[metric]).tolist()
    return table


def figures(evaluation: dict) -> dict:
    """Return what is kept of one evaluation."""
    return {
        "recipe": evaluation["label"],
        # A run folder by its last two names, which tell recipe and training seed.
        "run": "/".join(Path(evaluation["source"]).parts[-2:]),
        "env": evaluation["env"],
        "unit": evaluation["unit"],
        "trained_on": evaluation["trained_on"],
        "protocol": evaluation["protocol"],
        "test_seed": evaluation["seed"],
        "intact": evaluation["intact"],
        "conditions": [
            {
                **{key: condition[key] for key in ("name", "group", "seen")},
                **{key: condition["metrics"].get(key) for key in METRICS},
            }
            for condition in evaluation["conditions"]
        ],
    }


if __name__ == "__main__":
    run_program(main)
