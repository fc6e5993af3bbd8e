"""Reading a run: YAML recipes with `key=value` overrides, checked before anything starts."""

import dataclasses
import difflib
import math
from pathlib import Path
from typing import Any

import gymnasium
from pydantic import ValidationError

from robolearn.definitions import data_folder, parse_yaml, read_env, read_yaml
from robolearn.errors import UserError, errors_at, unknown_name
from robolearn.schema import build, describe
from robolearn.sections import (
    AgentSection,
    Config,
    DeepRLConfig,
    DeepRLSection,
    EnvSection,
    EvolutionConfig,
    EvolutionSection,
    OpenSection,
)


def load_config(source: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> Config:
    """Read a recipe and apply `key=value` overrides.

    Args:
        source: a path, or the name of a recipe in `configs/`.
        overrides: such as `learning.population=64`; values are YAML.

    Raises:
        UserError: no such recipe, not YAML, an unknown key, or a value of the wrong type or range.
    """
    content = read_yaml(find_config(str(source)))
    for override in overrides:
        _apply(content, override)
    return parse_config(content, str(source))


def find_config(source: str) -> Path:
    """Return the path of a recipe given by path or by name.

    Raises:
        UserError: there is none; the message lists the valid names.
    """
    path = Path(source)
    if path.is_file():
        return path
    folder = data_folder("configs")
    named = folder / f"{path.name.removesuffix('.yaml')}.yaml"
    if path.parent in (Path(), Path("configs")) and named.is_file():
        return named
    raise unknown_name("config file or recipe", source, [p.stem for p in folder.glob("*.yaml")])


def parse_config(content: dict[str, Any], where: str) -> Config:
    """Check a mapping against the schema, and against the env, agent and learner that it names.

    Args:
        content: as read from YAML.
        where: begins every message, such as the file's name.

    Returns:
        The config with every hyperparameter that was left out filled in, so that a later change
        of a default changes nothing in a run.

    Raises:
        UserError: one line with the key, the value, what is allowed and the nearest name.
    """
    family = _family(content)
    try:
        config = family.model_validate(content)
        control_step_s = _check_env(config.env)
        agent = _resolve_agent(config.agent, control_step_s)
        learning = _resolve_learning(config.learning)
        if isinstance(learning, DeepRLSection):
            _check_no_stages(config.env, learning.kind)
            _check_actor(agent, learning.kind)
            _check_phases(learning)
        return config.model_copy(update={"agent": agent, "learning": learning})
    except ValidationError as error:
        raise UserError(f"{where}: {_explain(error, family)}") from None
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def own_life_steps(env_id: str) -> int | None:
    """Return the length of a life in an env in control steps; None if it has none of its own."""
    return gymnasium.spec(env_id).max_episode_steps


def _family(content: dict[str, Any]) -> type[Config]:
    """Return the schema of a run whose learner is the one that `content` names."""
    from robolearn.learning.deep_rl import LEARNERS

    learning = content.get("learning")
    kind = learning.get("kind") if isinstance(learning, dict) else None
    return DeepRLConfig if isinstance(kind, str) and kind in LEARNERS else EvolutionConfig


def _check_env(env: EnvSection) -> float:
    """Check id, variant, parameters, rewards and shifts against the env's definition, and that.

    Returns:
        The duration of its control step in seconds.
    """
    from robolearn.envs.registration import check_definition
    from robolearn.envs.vector_env import check_rewards, env_name
    from robolearn.shifts import parse_shifts, plans_at
    from robolearn.shifts.plan import check_together
    from robolearn.worlds import load_world, variant_options

    with errors_at("env.id"):
        name = env_name(env.id)
    with errors_at("env.variant"):
        variant_options(name, read_env(name), env.variant)
    world = load_world(name, env.variant)
    task, _ = check_definition(world)
    build(task.parameters_type, env.parameters, f"env {name!r}", "env.parameters.")
    with errors_at("env.rewards"):
        check_rewards(world, env.rewards)
    life_s = env.life_s or (own_life_steps(env.id) or 0) * world.control_step_s
    if not life_s:
        raise UserError(f"env.life_s: needed, since {env.id} has no length of life of its own")
    for i, shift in enumerate(env.shifts):
        with errors_at(f"env.shifts[{i}]"):
            for plan in parse_shifts([shift]):
                plan.check(world, life_s)
    plans = parse_shifts(env.shifts)
    with errors_at("env.shifts"):
        for begin in {plan.iterations[0] for plan in plans}:
            check_together(plans_at(plans, begin), world)
    return world.control_step_s


def _resolve_agent(agent: AgentSection, control_step_s: float) -> AgentSection:
    from robolearn.agents import registry

    with errors_at("agent.kind"):
        defaults = registry.defaults(agent.kind)
    if "control_step_s" in defaults:  # a brain with a sense of time keeps that of its body
        defaults["control_step_s"] = control_step_s
    schema = registry.hyperparameters(agent.kind)
    hyper = _resolve(agent, schema, defaults, "agent.")
    return AgentSection(kind=agent.kind, modules=agent.modules, **hyper)


def _resolve_learning(
    learning: EvolutionSection | DeepRLSection,
) -> EvolutionSection | DeepRLSection:
    from robolearn.learning.deep_rl import LEARNERS
    from robolearn.learning.strategies import STRATEGIES

    schemas: dict[str, type] = {name: kind.config_class for name, kind in STRATEGIES.items()}
    schemas |= LEARNERS
    if learning.kind not in schemas:
        raise unknown_name("learning.kind", learning.kind, schemas)
    hyper = _resolve(learning, schemas[learning.kind], {}, "learning.")
    own = learning.model_dump(include=set(type(learning).model_fields))
    return type(learning)(**own, **hyper)


def _check_no_stages(env: EnvSection, learner: str) -> None:
    """Check that no shift is bound to some iterations."""
    from robolearn.shifts import parse_shifts

    for i, plan in enumerate(parse_shifts(env.shifts)):
        if plan.iterations != (0, None):
            raise UserError(
                f"env.shifts[{i}].iterations = {list(plan.iterations)}: {learner} has no stages; "
                "evolution has"
            )
        if plan.mildest:
            raise UserError(f"env.shifts[{i}].mildest: {learner} has no severities; evolution has")


def _check_actor(agent: AgentSection, learner: str) -> None:
    """Check that a learner of deep RL can train this brain: only networks that it builds itself."""
    from robolearn.learning.deep_rl import LEARNERS

    if agent.modules is not None:
        raise UserError(f"agent.modules = {agent.modules!r}: {learner} trains one brain for a body")
    for key, wanted in LEARNERS[learner].actor.items():
        given = agent.kind if key == "kind" else agent.hyper[key]
        if given != wanted:
            raise UserError(f"agent.{key} = {given!r}: {learner} trains brains of {key} {wanted!r}")


def _check_phases(learning: DeepRLSection) -> None:
    """Check that the budget reaches the second phase of a learner that has two."""
    policy_steps = learning.hyper.get("policy_steps")  # RMA's alone
    if policy_steps is not None and policy_steps > learning.total_steps - learning.iteration_steps:
        raise UserError(
            f"learning.policy_steps = {policy_steps}: expected at least an iteration of "
            f"{learning.iteration_steps} steps less than learning.total_steps = "
            f"{learning.total_steps}, for the adaptation module"
        )


def _resolve(
    section: OpenSection, schema: type, defaults: dict[str, Any], prefix: str
) -> dict[str, Any]:
    """Return every hyperparameter of `schema`: the section's, else the default; all checked."""
    names = [field.name for field in dataclasses.fields(schema)]
    for key, value in section.hyper.items():
        if key not in names:
            raise unknown_name("key", key, [*type(section).model_fields, *names], prefix=prefix)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, float) and not math.isfinite(part):
                raise UserError(f"{prefix}{key} = {value}: expected finite numbers")
    values = build(schema, {**defaults, **section.hyper}, repr(section.kind), prefix)
    return dataclasses.asdict(values)  # type: ignore[call-overload]


def _apply(content: dict[str, Any], override: str) -> None:
    """Put the value of `key=value` into `content`, making the sections above it."""
    key, separator, text = override.partition("=")
    *parents, last = path = key.strip().split(".")
    if not separator or not all(path):
        raise UserError(f"override {override!r} must be key=value, such as learning.population=64")
    value = parse_yaml(text, f"override {override!r}")
    section = content
    for depth, parent in enumerate(parents, start=1):
        if section.get(parent) is None:
            section[parent] = {}
        section = section[parent]
        if not isinstance(section, dict):
            raise UserError(f"override {override!r}: {'.'.join(parents[:depth])} is no section")
    section[last] = value


def _explain(error: ValidationError, family: type[Config]) -> str:
    """Put the first problem into one line: the key, what was given, what is allowed."""
    problem: Any = error.errors()[0]
    location = problem["loc"]
    *parents, last = location
    key = ".".join(map(str, location))
    prefix = "".join(f"{part}." for part in parents)
    match problem["type"]:
        case "extra_forbidden":
            schema: Any = family
            for part in parents:
                schema = schema.model_fields[part].annotation
            return str(unknown_name("key", last, schema.model_fields, prefix=prefix))
        case "missing":
            return f"the key {key!r} is missing"
        case "invalid_key":
            return f"{prefix}{last!r}: a key should be a text"
        case "literal_error":
            allowed = problem["ctx"]["expected"]
            words = allowed.replace("'", "").replace(" or ", ", ").split(", ")
            near = difflib.get_close_matches(str(problem["input"]), words, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"{key} = {problem['input']!r}: the value should be {allowed}{hint}"
        case "string_pattern_mismatch":
            return f"{key} = {problem['input']!r}: expected letters, digits, '-', '_' and '.' only"
    return describe(key, {**problem, "loc": ()})
