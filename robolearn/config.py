"""The schema of a run: YAML recipes with `key=value` overrides, checked before anything starts."""

import dataclasses
import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import gymnasium
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from robolearn.definitions import data_folder, parse_yaml, read_yaml
from robolearn.errors import UserError, unknown_name
from robolearn.schema import build, describe


class _Section(BaseModel):
    # Strict: "3", 3.0 and true are no integers. Infinite and undefined numbers are no settings.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class EnvSection(_Section):
    """Where the agents live.

    Attributes:
        id: a Gymnasium id of this package, such as robolearn/Quadruped-v0.
        variant: a variant of its world, or null.
        life_s: length of a training life in seconds; null for the env's own.
        shifts: what may happen to the body in training, drawn anew for every life: texts such as
            `limb_damage:front_left:dead@5s`, or mappings. `iterations: [from, until]` in one binds
            it to some generations; validation has the shifts of the last.
        parameters, rewards: replace values under the same key of the env's `env.yaml`.
    """

    id: str
    variant: str | None = None
    life_s: float | None = Field(None, gt=0)
    shifts: list[Any] = []
    parameters: dict[str, Any] = {}
    rewards: dict[str, Any] = {}

    @field_validator("shifts", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | dict) else value


class _OpenSection(_Section):
    """A section whose further keys are the hyperparameters of its `kind`, checked by that kind."""

    model_config = ConfigDict(extra="allow")

    kind: str

    @property
    def hyper(self) -> dict[str, Any]:
        """The hyperparameters."""
        return dict(self.model_extra or {})


class AgentSection(_OpenSection):
    """The brain: `kind` is a folder of `agents/`, further keys are its hyperparameters.

    Attributes:
        modules: legs or sides gives each of them a brain of its own with the same genes, mirrored
            left and right; null is one brain.
    """

    modules: Literal["legs", "sides"] | None = None


class LearningSection(_OpenSection):
    """What changes between lives, in iterations: generations, or rollouts with their gradients.

    Attributes:
        kind: the learner, such as openai_es or ppo; further keys are its hyperparameters.
        validate_every: iterations between two validations.
        validation_lives: lives of a validation, as long as the env's own, or as those of training
            if they are longer; every second one meets the shifts of training.
    """

    validate_every: int = Field(20, ge=1)
    validation_lives: int = Field(16, ge=1)


class EvolutionSection(LearningSection):
    """Evolution of whole lifetimes.

    Attributes:
        generations: budget.
        lifetimes: lives of each genome in a generation.
        common_lives: who meets the same resets, shifts and noise: all genomes of a generation, or
            only the two of a mirrored pair, which are then judged against each other.
        workers: processes that share the population out with Ray; 0 for this one. Changes no bit.
    """

    generations: int = Field(200, ge=1)
    lifetimes: int = Field(1, ge=1)
    common_lives: Literal["population", "pair"] = "population"
    workers: int = Field(0, ge=0)

    iteration_name: ClassVar[str] = "generation"

    @property
    def iterations(self) -> int:
        """The budget in iterations."""
        return self.generations


class DeepRLSection(LearningSection):
    """Gradients from collected steps, by stable-baselines3.

    Attributes:
        total_steps: budget in control steps of all individuals; the last iteration is a whole one.
        start_from: a run folder whose newest checkpoint lends its networks, moments and statistics
            to the beginning; null begins from nothing.
    """

    total_steps: int = Field(1_000_000, ge=1)
    start_from: str | None = Field(None, min_length=1)

    iteration_name: ClassVar[str] = "iteration"

    @property
    def iteration_steps(self) -> int:
        """Control steps of all individuals in an iteration."""
        from robolearn.learning.deep_rl import LEARNERS

        return LEARNERS[self.kind](**self.hyper).iteration_steps

    @property
    def iterations(self) -> int:
        """The budget in iterations."""
        return -(-self.total_steps // self.iteration_steps)


class TrackingSection(_Section):
    """What is kept.

    Attributes:
        wandb: auto (online when logged in, else offline), online, offline or off.
        project: W&B project.
        checkpoint_every: iterations between two checkpoints.
        film_every: iterations between two films of the present genome; 0 for none.
    """

    wandb: Literal["auto", "online", "offline", "off"] = "auto"
    project: str = "robolearn"
    checkpoint_every: int = Field(default=5, ge=1)
    film_every: int = Field(default=0, ge=0)

    @field_validator("wandb", mode="before")
    @classmethod
    def _a_bare_off_is_a_word(cls, value: Any) -> Any:
        return "off" if value is False else value  # YAML reads off as false


class Config(_Section):
    """A whole run; its `learning` is of the family that `learning.kind` belongs to."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    seed: int = Field(0, ge=0, lt=2**32)
    env: EnvSection
    agent: AgentSection
    learning: EvolutionSection | DeepRLSection
    tracking: TrackingSection = TrackingSection()

    def to_mapping(self) -> dict[str, Any]:
        """Return the plain mapping that reads back as this config."""
        return self.model_dump(mode="json")


class EvolutionConfig(Config):
    """A run of evolution."""

    learning: EvolutionSection  # pyright: ignore[reportIncompatibleVariableOverride]


class DeepRLConfig(Config):
    """A run of deep RL."""

    learning: DeepRLSection  # pyright: ignore[reportIncompatibleVariableOverride]


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
    """Check id, variant, parameters, rewards and shifts against the env's definition.

    Returns:
        The duration of its control step in seconds.
    """
    from robolearn.envs.registry import task_type
    from robolearn.envs.vector_env import check_rewards, env_name
    from robolearn.shifts import parse_shifts, plans_at
    from robolearn.shifts.plan import check_together
    from robolearn.worlds import load_world

    with _at("env.id"):
        name = env_name(env.id)
    with _at("env.variant"):
        world = load_world(name, env.variant)
    task = task_type(str(world.definition.get("task")), f"envs/{name}/env.yaml")
    build(task.parameters_type, env.parameters, f"env {name!r}", "env.parameters.")
    with _at("env.rewards"):
        check_rewards(world, env.rewards)
    own = own_life_steps(env.id)
    lives_s = [s for s in (env.life_s, own and own * world.control_step_s) if s is not None]
    if not lives_s:
        raise UserError(f"env.life_s: needed, since {env.id} has no length of life of its own")
    for i, shift in enumerate(env.shifts):
        with _at(f"env.shifts[{i}]"):
            for plan in parse_shifts([shift]):
                plan.check(world, min(lives_s))
    plans = parse_shifts(env.shifts)
    with _at("env.shifts"):
        for begin in {plan.iterations[0] for plan in plans}:
            check_together(plans_at(plans, begin), world)
    return world.control_step_s


def _resolve_agent(agent: AgentSection, control_step_s: float) -> AgentSection:
    from robolearn.agents import registry

    with _at("agent.kind"):
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
    section: _OpenSection, schema: type, defaults: dict[str, Any], prefix: str
) -> dict[str, Any]:
    """Return every hyperparameter of `schema`: the section's, else the default; all checked."""
    names = [field.name for field in dataclasses.fields(schema)]
    for key in section.hyper:
        if key not in names:
            raise unknown_name("key", key, [*type(section).model_fields, *names], prefix=prefix)
    values = build(schema, {**defaults, **section.hyper}, repr(section.kind), prefix)
    return dataclasses.asdict(values)  # type: ignore[call-overload]


@contextmanager
def _at(key: str) -> Iterator[None]:
    """Begin the user's errors of the block with the key that caused them."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{key}: {error}") from None


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
