"""Protocols as YAML, read and checked.

A protocol is a YAML file, such as `configs/protocols/damage.yaml`:

    onset: mid_life            # birth, early, mid_life or late
    episodes: 8                # lives under each condition
    seeds: test                # or validation, to choose between agents
    life_s: 10                 # length of a life; the env's own if left out
    walks_above: 0.05          # least mean performance of an intact twin that counts as walking
    conditions:
      - {kind: limb_damage, leg: every, mode: [dead, locked]}

A list makes a condition of each element (of each combination, if there are several lists), and
`every` stands for each leg of the body. Further keys, each of which may be left out:

    spans: [[.25, .5], [.75, 1]]   # in place of onset: the shift comes, goes and comes back
    trials: 60                     # time is counted in trials: lives, onsets, windows, all of it
    parameters: {switch_trials: null}  # of the task, the same for every agent
    yoke: true                     # a third twin of plastic brains, which changes as another does

Where a shift ends, it is measured while it acts: `robolearn.adaptation.windows`.

The time of a life with `trials` is a number of trials: what the code calls seconds is then trials.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

from robolearn.adaptation.protocol import ONSETS, SEEDS, Protocol
from robolearn.definitions import data_folder, read_yaml
from robolearn.errors import UserError, unknown_name
from robolearn.shifts import parse_shift, shift_kinds
from robolearn.shifts.shift import kind_of, number

_MOST_LIFE_S = 1e5


def load_protocol(name_or_path: str | Path) -> Protocol:
    """Read a protocol by its name under `configs/protocols/`, or from a YAML file of one's own.

    Raises:
        UserError: no such protocol; unknown or missing key; a value out of range.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        folder = data_folder("configs") / "protocols"
        valid = protocol_names()
        if str(name_or_path) not in valid:
            raise unknown_name("protocol", name_or_path, valid)
        path = folder / f"{name_or_path}.yaml"
    content = read_yaml(path)
    keys = [f.name for f in dataclasses.fields(Protocol) if f.name not in ("name", "templates")]
    keys.append("conditions")
    for key in content:
        if key not in keys:
            raise UserError(f"{path}: {unknown_name('key', key, keys)}")
    for key, valid in (("onset", ONSETS), ("seeds", SEEDS)):
        if key in content and content[key] not in list(valid):  # of a list: it may have no hash
            raise UserError(f"{path}: {unknown_name(key, content[key], valid)}")
    if content.get("life_s") is not None:
        content["life_s"] = number(content["life_s"], f"{path}: life_s", 1e-3, _MOST_LIFE_S)
    if "walks_above" in content:
        content["walks_above"] = number(content["walks_above"], f"{path}: walks_above", 0.0)
    _check_time(content, path)
    templates = content.pop("conditions", None)
    if not isinstance(templates, list) or not templates:
        raise UserError(f"{path}: conditions must be a list of shifts, got {templates!r}")
    for template in templates:
        _check_template(template, path)
    try:
        return Protocol(name=path.stem, templates=tuple(templates), **content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def protocol_names() -> list[str]:
    """Return the sorted names of the protocols under `configs/protocols/`."""
    return sorted(file.stem for file in (data_folder("configs") / "protocols").glob("*.yaml"))


def _check_time(content: dict[str, Any], path: Path) -> None:
    """Check spans, trials and parameters, and make the spans tuples."""
    if "spans" in content:
        spans, flat = content["spans"], []
        if isinstance(spans, list) and all(isinstance(s, list) and len(s) == 2 for s in spans):
            flat = [number(bound, f"{path}: spans", 0.0, 1.0) for span in spans for bound in span]
        if not flat or any(a >= b for a, b in itertools.pairwise(flat)):
            raise UserError(
                f"{path}: spans must be rising shares of a life such as [[.25, .5], [.75, 1]], "
                f"got {spans!r}"
            )
        if "onset" in content:
            raise UserError(f"{path}: give onset or spans, not both")
        content["spans"] = tuple(zip(flat[::2], flat[1::2], strict=True))
    if content.get("trials") is not None and content.get("life_s") is not None:
        raise UserError(f"{path}: give trials or life_s, not both")
    parameters = content.get("parameters", {})
    if not isinstance(parameters, dict) or not all(isinstance(key, str) for key in parameters):
        raise UserError(f"{path}: parameters must be a mapping of names, got {parameters!r}")


def _check_template(template: Any, path: Path) -> None:
    """Raise UserError unless `template` is a text, or a mapping with a kind and its parameters."""
    if isinstance(template, str):
        parse_shift(template)
        return
    if not isinstance(template, dict):
        raise UserError(f"{path}: a condition must be a mapping or a text, got {template!r}")
    try:
        kind = kind_of(template)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    names = ["kind", *(f.name for f in dataclasses.fields(shift_kinds()[kind]))]
    for key in template:
        if key not in names:
            raise UserError(f"{path}: {unknown_name(f'key of condition {kind}', key, names)}")
    for key, value in template.items():
        choices = value if isinstance(value, list) else [value]
        if not choices or any(isinstance(choice, list | dict) for choice in choices):
            raise UserError(
                f"{path}: {kind}: {key} must be a value or a list of values, got {value!r}"
            )
