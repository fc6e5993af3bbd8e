"""Writes the card of an env from the env itself, so that the two cannot disagree.

    python -m robolearn.envs.card quadruped --write

Prose comes from `env.yaml` (`about`, `sources`, `history`) and from the docstring of the task,
tables from the compiled scene, scores from `reference.json`.
"""

import argparse
import inspect
import json
import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robolearn.definitions import definition_folder
from robolearn.envs.reference import scored_definition
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.recording.film import preview
from robolearn.shifts import shift_kinds

_PREVIEW_STEPS = 25
# Sections of docstrings that list named things.
_WITH_ITEMS = ("Attributes", "Observations", "Rewards")


def render_card(name: str) -> str:
    """Return the card of `envs/<name>` as Markdown.

    Raises:
        UserError: no such env.
    """
    env = RobotVectorEnv(name)
    definition = env.world.definition
    doc = docstring_sections(type(env.task))
    parts = [
        f"# {definition['id']}",
        "![The robot standing](preview.png)",
        " ".join(definition.get("about", "").split()),
        _usage(env),
        "## Actions",
        doc["Actions"],
        _actions(env),
        "## Observations",
        _meanings(env, doc["Observations"]),
        "Brains divide each element by its scale, a typical magnitude in its unit.",
        _observations(env),
        "## Rewards",
        "The total is the exact sum of the weighted terms; `info` holds each as `reward_<term>`.",
        _rewards(env, doc["Rewards"]),
        "## Starts and ends",
        doc["Starts"],
        doc["Ends"],
        f"A life is cut off after {definition.get('max_episode_steps')} control steps.",
        "## Parameters",
        "Keywords of `gymnasium.make`.",
        _parameters(env),
        "## Shifts",
        _shifts(env),
        "## Cameras and variants",
        _cameras_and_variants(env),
        "## Scores to beat",
        _scores(env),
        "## Sources of the figures",
        _sources(definition),
        "## Versions",
        "\n".join(f"- {key}: {text}" for key, text in definition.get("history", {}).items()),
        f"<!-- Written by `python -m robolearn.envs.card {name} --write`: edit env.yaml. -->",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def docstring_sections(documented: type) -> dict[str, str]:
    """Return the sections ("Rewards", …) of a class docstring by name, as one line or an item each.

    Items are lines `name: text` with deeper indented continuations, as under "Attributes".
    """
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (inspect.getdoc(documented) or "").splitlines():
        if re.fullmatch(r"[A-Z][a-z]+:", line):
            lines = sections.setdefault(line[:-1], [])
        elif line.startswith("        ") and lines:
            lines[-1] += " " + line.strip()
        elif line.strip():
            lines.append(line.strip())
    return {
        name: ("\n" if name in _WITH_ITEMS else " ").join(lines) for name, lines in sections.items()
    }


def _table(header: str, rows: list[tuple]) -> str:
    columns = header.count("|") + 1
    escaped = (" | ".join(str(cell).replace("|", "\\|") for cell in row) for row in rows)
    lines = [header, " | ".join(["---"] * columns), *escaped]
    return "\n".join(f"| {line} |" for line in lines)


def _items(section: str) -> dict[str, str]:
    """Return {name: text} of the lines `name: text` of a section."""
    pairs = (line.partition(": ") for line in section.splitlines())
    return {name: text for name, _, text in pairs}


def _usage(env: RobotVectorEnv) -> str:
    world, env_id = env.world, env.world.definition["id"]
    shift = f'"limb_damage:{next(iter(world.legs))}:dead@5s"' if world.legs else ""
    weight = world.model.body_mass.sum()
    motors = f"{len(world.motors)} motor{'s' * (len(world.motors) > 1)}"
    unit = "" if env.task.performance_unit == "1" else f", {env.task.performance_unit}"
    return f"""```python
import gymnasium, robolearn

env = gymnasium.make("{env_id}", shifts=[{shift}])
envs = gymnasium.make_vec("{env_id}", num_envs=64)
```

Task `{env.task.name}`, control step {world.control_step_s:g} s ({world.substeps} of physics), \
{motors}, {weight:.4g} kg; adaptation is measured by the {env.task.performance_name}{unit}."""


def _actions(env: RobotVectorEnv) -> str:
    """One row a motor: what actions −1, 0 and 1 command, and the torque or pull it can give."""
    model, task = env.world.model, env.task
    low, high = model.actuator_ctrlrange.T
    limited = model.actuator_ctrllimited.astype(bool)
    rows = []
    commands = []
    _wait_for_motors(env)
    for value in (-1.0, 0.0, 1.0):
        action = np.full((1, task.action_size), value)
        command = np.broadcast_to(task.control(action), (1, model.nu))[0]
        commands.append(np.where(limited, np.clip(command, low, high), command))
    leg_of = {int(m): leg.name for leg in env.world.legs.values() for m in leg.motors}
    has_muscles = bool((model.actuator_gaintype == mujoco.mjtGain.mjGAIN_MUSCLE).any())
    has_wheels = bool((model.actuator_trntype == mujoco.mjtTrn.mjTRN_SITE).any())
    for i in env.world.motor_ids.tolist():
        gain, gear = model.actuator_gainprm[i, 0], model.actuator_gear[i, 0]
        is_position = model.actuator_biastype[i] == mujoco.mjtBias.mjBIAS_AFFINE
        unit = "1" if has_muscles else "m/s" if has_wheels else "rad" if is_position else "N·m"
        is_told = is_position or has_muscles or has_wheels  # not a torque
        values = [command[i] * (1.0 if is_told else gain * gear) for command in commands]
        limit = model.actuator_forcerange[i, 1] if is_position else gain * gear * high[i]
        if has_muscles:
            limit = f"{model.actuator_gainprm[i, 2]:g}"
        elif has_wheels:
            limit = f"{gain * gear * high[i]:.3g}"
        name = model.actuator(i).name
        cells = (", ".join(_joints(model, i)), leg_of.get(i, ""))
        rows.append((i, name, *cells, *(f"{v:g}" for v in values), unit, limit))
    motor, moved = "muscle" if has_muscles else "motor", "site" if has_wheels else "joint"
    most = "most force, N" if has_muscles or has_wheels else "most torque, N·m"
    return _table(f"index | {motor} | {moved} | leg | at −1 | at 0 | at 1 | unit | {most}", rows)


def _wait_for_motors(env: RobotVectorEnv) -> None:
    """Live on until a command reaches a motor: a task may keep it away at the start of a trial."""
    action = np.ones((1, env.task.action_size))
    for step in range(env.task.trial_steps):
        if np.any(env.task.control(action)):
            return
        if step == 0:
            env.reset(seed=0)
        env.step(0.0 * action)


def _joints(model: mujoco.MjModel, motor: int) -> list[str]:
    """Return the joints that a motor drives, itself or by a tendon, or the site it pushes."""
    driven = int(model.actuator_trnid[motor, 0])
    if model.actuator_trntype[motor] == mujoco.mjtTrn.mjTRN_SITE:
        return [model.site(driven).name]
    if model.actuator_trntype[motor] != mujoco.mjtTrn.mjTRN_TENDON:
        return [model.joint(driven).name]
    first = model.tendon_adr[driven]
    wraps = range(first, first + model.tendon_num[driven])
    return [model.joint(int(model.wrap_objid[wrap])).name for wrap in wraps]


def _observations(env: RobotVectorEnv) -> str:
    rows = []
    for part in env.task.observation_slices:
        for k in range(part.size):
            source = part.sources[k if len(part.sources) == part.size else 0]
            index = f"[{k}]" if part.size > 1 else ""
            rows.append((len(rows), f"{part.name}{index}", part.unit, f"{part.scale:g}", source))
    return _table("index | name | unit | scale | MJCF name", rows)


def _meanings(env: RobotVectorEnv, section: str) -> str:
    """One line for every slice that this env observes; its task may know more."""
    meaning = _items(section)
    names = dict.fromkeys(part.name for part in env.task.observation_slices)
    return "\n".join(f"- {name}: {meaning[name]}" for name in names)


def _rewards(env: RobotVectorEnv, section: str) -> str:
    meaning = _items(section)
    rows = [(name, f"{weight:g}", meaning[name]) for name, weight in env.task.rewards.items()]
    return _table("term | weight | unweighted", rows)


def _parameters(env: RobotVectorEnv) -> str:
    parameters = env.task.parameters
    meaning = _items(docstring_sections(type(parameters))["Attributes"])
    rows = [(f.name, getattr(parameters, f.name), meaning[f.name]) for f in fields(parameters)]
    return _table("name | value | meaning", rows)


def _shifts(env: RobotVectorEnv) -> str:
    lines = []
    for kind in env.world.definition.get("shifts", []):
        shift = shift_kinds()[kind]
        meaning = _items(docstring_sections(shift).get("Attributes", ""))
        written = ":".join([kind, *(field.name for field in fields(shift))])
        lines.append(f"- `{written}`: {(inspect.getdoc(shift) or '').splitlines()[0]}")
        lines += [f"  - {name}: {text}" for name, text in meaning.items()]
    rows = []
    for leg in env.world.legs.values():
        joints = ", ".join(env.world.model.joint(int(j)).name for j in leg.joints)
        motors = ", ".join(env.world.motors[int(m)] for m in leg.motors)
        rows.append((leg.name, joints, motors, leg.lower_link))
    legs = _table("leg | joints | motors | lower link", rows) if rows else ""
    return "\n\n".join(["\n".join(lines), legs])


def _cameras_and_variants(env: RobotVectorEnv) -> str:
    model = env.world.model
    cameras = ", ".join(f"`{model.camera(i).name}`" for i in range(model.ncam))
    lines = [f"- cameras: {cameras}"]
    measured = _reference(env).get("variants", {})
    for name, options in env.world.definition["world"].get("variants", {}).items():
        words = ", ".join(f"{key} {value}" for key, value in options.items())
        ratios = measured.get(name, {}).get("speed_ratio")
        told = f": {np.median(ratios):.1f} times as fast as without" if ratios else ""
        lines.append(f'- `variant="{name}"` ({words}){told}; another dynamics')
    return "\n".join(lines)


def _scores(env: RobotVectorEnv) -> str:
    reference = _reference(env)
    if not reference:
        return "Not measured yet."
    rows = []
    for policy, lives in reference["policies"].items():
        returns, speed = np.array(lives["return"]), np.array(lives["performance"])
        rows.append(
            (
                {"zero": "action 0", "random": "uniform random"}.get(policy, policy),
                f"{returns.mean():.4g} ± {returns.std(ddof=1):.2g}",
                f"{speed.mean():.3f} ± {speed.std(ddof=1):.2g}",
                f"{np.mean(lives['steps']):.4g}",
                f"{100 * np.mean(lives['fell']):.0f} %",
            )
        )
    unit = env.task.performance_unit
    measure = env.task.performance_name.removeprefix("forward ")
    table = _table(
        f"actions | return | {measure} over the whole span, {unit} | steps | falls", rows
    )
    versions = ", ".join(f"{key} {value}" for key, value in reference["versions"].items())
    lives = len(reference["policies"]["zero"]["return"])
    return (
        f"{table}\n\nMean ± standard deviation of {lives} lives with the seeds 0 to {lives - 1}; "
        f"`{reference['command']}` measures them again; raw numbers in `reference.json` "
        f"({versions})."
    )


def _reference(env: RobotVectorEnv) -> dict[str, Any]:
    """Return the measured scores, or nothing if they belong to another definition."""
    path = definition_folder("envs", env.world.name) / "reference.json"
    if not path.is_file():
        return {}
    reference = json.loads(path.read_text(encoding="utf-8"))
    ours = json.loads(json.dumps(scored_definition(env.world.definition)))
    return reference if reference["definition"] == ours else {}


def _sources(definition: dict[str, Any]) -> str:
    rows = [
        (s["figure"], " ".join(s["source"].split()), " ".join(s.get("note", "").split()))
        for s in definition.get("sources", [])
    ]
    return _table("figure | source | note", rows)


def write_card(name: str) -> Path:
    """Write `envs/<name>/card.md`; returns its path."""
    path = definition_folder("envs", name) / "card.md"
    path.write_text(render_card(name), encoding="utf-8")
    return path


def draw_preview(name: str) -> Path:
    """Draw the robot as it stands after doing nothing for a while; returns the path.

    Raises:
        UserError: no OpenGL works here.
    """
    env = RobotVectorEnv(name)
    env.reset(seed=0)
    for _ in range(_PREVIEW_STEPS):
        env.step(np.zeros(env.action_space.shape, np.float32))
    path = definition_folder("envs", name) / "preview.png"
    camera = env.world.definition.get("preview_camera")
    scenery = env.simulation.read("mocap_pos")[0]
    return preview(path, env.world.model, env.simulation.qpos[0], camera, mocap_pos=scenery)


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m robolearn.envs.card", description=__doc__)
    parser.add_argument("name", help="a folder of envs/")
    parser.add_argument("--write", action="store_true", help="into the env's folder")
    parser.add_argument("--preview", action="store_true", help="draw preview.png anew as well")
    options = parser.parse_args(arguments)
    try:
        if options.preview:
            print(draw_preview(options.name))
        print(write_card(options.name) if options.write else render_card(options.name))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
