"""The smallest training there is, and what two run folders must share to have ended alike."""

import json
from pathlib import Path
from typing import Any

import yaml

from robolearn.config import parse_config
from robolearn.sections import Config

# Metrics that tell of the clock and not of the learning.
CLOCK = {"time", "steps_per_second"}


def tiny_mapping(**sections: Any) -> dict[str, Any]:
    """Return the recipe of a training of half a second; `sections` are merged into it."""
    content: dict[str, Any] = {
        "name": "tiny",
        "env": {
            "id": "robolearn/Quadruped-v0",
            "life_s": 0.4,
            "shifts": ["limb_damage:front_left,rear_right:dead@0.1s..0.3s"],
        },
        "agent": {"kind": "spiking", "hidden": 4},
        "learning": {
            "kind": "openai_es",
            "population": 8,
            "generations": 4,
            "validate_every": 2,
            "validation_lives": 2,
        },
        "tracking": {"wandb": "off", "checkpoint_every": 1},
    }
    for section, values in sections.items():
        if isinstance(values, dict):
            content[section].update(values)
        else:
            content[section] = values
    return content


def tiny_config(**sections: Any) -> Config:
    return parse_config(tiny_mapping(**sections), "tiny")


def write_tiny(path: Path, **sections: Any) -> Path:
    path.write_text(yaml.safe_dump(tiny_mapping(**sections)))
    return path


def result_of(run: Path) -> dict[str, Any]:
    """Return all that a training decides: weights, states of the search, metrics but the clock.

    Of the states the last two count: a process killed before it cleared up leaves a third.
    """
    files = [run / "weights.safetensors", *sorted((run / "checkpoints").iterdir())[-2:]]
    lines = (run / "metrics.jsonl").read_text().splitlines()
    metrics = [{k: v for k, v in json.loads(line).items() if k not in CLOCK} for line in lines]
    return {"metrics": metrics, **{file.name: file.read_bytes() for file in files}}
