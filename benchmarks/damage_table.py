"""Retention by kind of damage, from the raw numbers of `robolearn compare --json`.

    robolearn compare RUN ... --json compared.json
    python benchmarks/damage_table.py compared.json --json benchmarks/quadruped_damage.json
    python benchmarks/damage_table.py benchmarks/quadruped_damage.json
    python benchmarks/damage_table.py benchmarks/hexapod_damage.json --seen-by hexapod_modular \
        --without middle_left middle_right

Prints the mean over the legs or severities of each kind, for every recipe (IQM and
95 % interval over its training seeds) and run, and keeps the figures of every condition without
its lives. `--of` and `--without` choose conditions by parts of their names, such as a leg;
`--seen-by` takes what was seen from the training of another recipe, so that the same conditions
are compared. Where a benefit is undefined in some runs, it is told over the others.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from robolearn.adaptation.statistics import interval, sign_flip_test
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
    parser.add_argument("--of", nargs="+", metavar="PART", default=[])
    parser.add_argument("--without", nargs="+", metavar="PART", default=[])
    parser.add_argument("--seen-by", metavar="RECIPE")
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
        chosen = [choose(run, runs, options) for run in of_recipe]
        if not chosen[0]["conditions"]:
            parser.error(f"{recipe}: no such conditions")
        print(f"{recipe}, {len(of_recipe)} runs")
        for row, values in rows(chosen).items():
            known = np.array([value for value in values if np.isfinite(value)])
            found = interval(known)
            ends = "" if len(known) == 1 else f" [{found.low:5.2f}, {found.high:5.2f}]"
            signs = ""
            if len(known) > 1 and ("alive" in row or "benefit" in row):
                signs = f" p = {sign_flip_test(known):.3f} by flips of sign,"
            seeds = " ".join(f"{value:5.2f}" for value in values)
            print(f"  {row:34} {found.iqm:5.2f}{ends} {signs} of the seeds {seeds}")
    if options.json is not None:
        options.json.write_text(json.dumps({"runs": runs}, indent=1) + "\n")


def choose(run: dict, runs: list[dict], options: argparse.Namespace) -> dict:
    """Return a run with the conditions that were asked for, seen as by whom was asked for."""
    seen = {
        condition["name"]: condition["seen"]
        for other in runs
        if other["recipe"] == options.seen_by
        for condition in other["conditions"]
    }
    conditions = []
    for condition in run["conditions"]:
        parts = set(condition["name"].split(":"))
        if (not options.of or parts & set(options.of)) and not parts & set(options.without):
            conditions.append({**condition, "seen": seen.get(condition["name"], condition["seen"])})
    return {**run, "conditions": conditions}


def rows(runs: list[dict]) -> dict[str, list[float]]:
    """Return the rows of the table of one recipe, a value for each run, NaN where undefined."""
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
        told = [np.nan if None in of_run else float(np.mean(of_run)) for of_run in values]
        if np.isfinite(told).any():
            table[metric] = told
    alive = np.array(table["late_performance"])
    for metric, benefit in zip(FROZEN, BENEFITS, strict=True):
        if metric in table:
            ending = metric.removesuffix("_late_performance")
            won = alive - table[metric]
            table[f"alive - {ending}"] = won.tolist()
            if benefit in table:  # which is what is won hurt, less what is won intact
                table[f"intact: alive - {ending}"] = (won - table[benefit]).tolist()
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
