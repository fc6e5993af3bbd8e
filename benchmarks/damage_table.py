"""Retention by kind of damage, from the raw numbers of `robolearn compare --json`.

    robolearn compare RUN ... --json compared.json
    python benchmarks/damage_table.py compared.json --json benchmarks/quadruped_damage.json

Prints the mean over the legs or severities of each kind for every run, and keeps the figures of
every condition without its lives.
"""

import argparse
import json
from pathlib import Path

import numpy as np

METRICS = ("retention", "fall_rate", "late_performance", "late_reference", "plasticity_benefit")


def main() -> None:
    """Print the table, write the figures."""
    parser = argparse.ArgumentParser(description="Tell retention by kind of damage.")
    parser.add_argument("compared", type=Path, nargs="+")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    compared = [json.loads(file.read_text()) for file in options.compared]
    runs = [figures(one) for each in compared for one in each["evaluations"]]
    for run in runs:
        print(f"{run['recipe']}: intact {run['intact']['performance']:.3f} {run['unit']}")
        for group in dict.fromkeys(c["group"] for c in run["conditions"]):
            rows = [c for c in run["conditions"] if c["group"] == group]
            retention, falls = (np.array([r[k] for r in rows]) for k in ("retention", "fall_rate"))
            seen = "/".join(sorted({row["seen"] for row in rows}))
            print(
                f"  {group:26} {len(rows)} conditions, {seen:12} retention {retention.mean():5.2f} "
                f"(worst {retention.min():5.2f})  falls {falls.mean():4.0%}"
            )
        for seen in ("seen", "unseen"):
            rows = [c["retention"] for c in run["conditions"] if c["seen"] == seen]
            if rows:
                print(f"  {seen}: {len(rows)} conditions, mean retention {np.mean(rows):.2f}")
    if options.json is not None:
        options.json.write_text(json.dumps({"runs": runs}, indent=1) + "\n")


def figures(evaluation: dict) -> dict:
    """Return what is kept of one evaluation."""
    return {
        "recipe": evaluation["label"],
        "env": evaluation["env"],
        "unit": evaluation["unit"],
        "trained_on": evaluation["trained_on"],
        "protocol": evaluation["protocol"],
        "seed": evaluation["seed"],
        "intact": evaluation["intact"],
        "conditions": [
            {
                **{key: condition[key] for key in ("name", "group", "seen")},
                **{key: condition["metrics"][key] for key in METRICS},
            }
            for condition in evaluation["conditions"]
        ],
    }


if __name__ == "__main__":
    main()
