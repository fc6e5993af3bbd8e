"""The schema of a run: YAML recipes with `key=value` overrides, closed and checked before anything starts."""

import dataclasses
import difflib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from robolearn.definitions import data_folder, read_yaml
from robolearn.errors import UserError, unknown_name
from robolearn.schema import build


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EnvSection(_Section):
    """Where the agents live.

    Attributes:
        id: a Gymnasium id of this package, such as robolearn/Quadruped-v0.
        variant: a variant of its world, or null.
        life_s: length of a training life in seconds; null for the env's own.
        shifts: what may happen to the body in training, drawn anew for every life.
        parameters: replace values under `parameters` of the env's `env.yaml`.
    """

    id: str
    variant: str | None = None
    life_s: float | None = Field(None, gt=0)
    shifts: list[dict[str, Any] | str] = []
    parameters: dict[str, Any] = {}


class _OpenSection(_Section):
    """A section whose further keys are the hyperparameters of its `kind`, checked by that kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str

    @property
    def hyper(self) -> dict[str, Any]:
        """The hyperparameters."""
        return dict(self.model_extra or {})


class AgentSection(_OpenSection):
    """The brain: `kind` is a folder of `agents/`, the other keys are its hyperparameters."""


class LearningSection(_OpenSection):
    """What changes between lives.

    Attributes:
        kind: the learner, such as openai_es or pgpe; further keys are its hyperparameters.
        generations: budget.
        lifetimes: lives of each genome in a generation.
        validate_every: generations between two validations of the mean genome.
        validation_lives: lives of a validation, over the env's own length of life.
    """

    generations: int = Field(200, ge=1)
    lifetimes: int = Field(1, ge=1)
    validate_every: int = Field(20, ge=1)
    validation_lives: int = Field(16, ge=1)


class TrackingSection(_Section):
    """What is kept.

    Attributes:
        wandb: auto (online when logged in, else offline), online, offline or off.
        project: W&B project.
        checkpoint_every: generations between two checkpoints.
        film_every: generations between two films of the mean genome; 0 for none.
    """

    wandb: Literal["auto", "online", "offline", "off"] = "auto"
    project: str = "robolearn"
    checkpoint_every: int = Field(5, ge=1)
    film_every: int = Field(0, ge=0)


class Config(_Section):
    """A whole run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    seed: int = Field(0, ge=0, lt=2**32)
    env: EnvSection
    agent: AgentSection
    learning: LearningSection
    tracking: TrackingSection = TrackingSection()

    @model_validator(mode="before")
    @classmethod
    def _yaml_is_off(cls, data: Any) -> Any:
        # YAML reads a bare `off` as False.
        if isinstance(data, dict) and isinstance(data.get("tracking"), dict):
            tracking = dict(data["tracking"])
            if tracking.get("wandb") is False:
                tracking["wandb"] = "off"
            data = {**data, "tracking": tracking}
        return data

    def to_mapping(self) -> dict[str, Any]:
        """Return the plain mapping that reads back as this config."""
        return self.model_dump(mode="json")


def load_config(source: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> Config:
    """Read a recipe and apply `key=value` overrides.

    Args:
        source: a path, or the name of a recipe in `configs/`.
        overrides: such as `learning.population=64`; values are YAML.

    Raises:
        UserError: no such recipe, not YAML, an unknown key, or a value of the wrong type or range.
    """
    path = find_config(str(source))
    content = read_yaml(path)
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
    raise unknown_name("config", source, [f"configs/{p.name}" for p in folder.glob("*.yaml")])


def parse_config(content: dict[str, Any], where: str) -> Config:
    """Check a mapping against the schema and against the kinds that it names.

    Raises:
        UserError: one line with the key, the value, what is allowed and the nearest name.
    """
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{where}: {_explain(error)}") from None
    _check_names(config, where)
    return config


def _check_names(config: Config, where: str) -> None:
    """Check what the kinds themselves know: env id, shifts, hyperparameters."""
    from robolearn.agents import registry
    from robolearn.envs.vector_env import env_name
    from robolearn.learning.strategies import STRATEGIES
    from robolearn.shifts import parse_shifts

    try:
        env_name(config.env.id)
        parse_shifts(config.env.shifts)
        registry.check(config.agent.kind, config.agent.hyper)
        if config.learning.kind not in STRATEGIES:
            raise unknown_name("learning.kind", config.learning.kind, STRATEGIES)
        schema = STRATEGIES[config.learning.kind].config_class
        names = [f.name for f in dataclasses.fields(schema)]
        known = [*names, *LearningSection.model_fields]
        for key in config.learning.hyper:
            if key not in names:
                raise unknown_name("key learning." + key, key, known)
        build(schema, config.learning.hyper, f"learning.kind {config.learning.kind!r}")
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _apply(content: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise UserError(f"override {override!r} must be key=value, such as seed=1")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"override {override!r}: the value is not valid YAML") from None
    *parents, last = key.split(".")
    section = content
    for parent in parents:
        section = section.setdefault(parent, {})
        if not isinstance(section, dict):
            raise UserError(f"override {override!r}: {parent!r} is not a section")
    section[last] = value


def _explain(error: ValidationError) -> str:
    """Put the first problem into one line: the key, what was given, what is allowed."""
    problem = error.errors()[0]
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        schema: Any = Config
        for part in location[:-1]:
            schema = schema.model_fields[part].annotation
        return str(unknown_name("key", key, _prefixed(schema, location[:-1])))
    if problem["type"] == "missing":
        return f"key {key!r} is missing"
    if problem["type"] == "literal_error":
        allowed = problem["ctx"]["expected"]
        near = difflib.get_close_matches(
            str(problem["input"]), [a.strip("' ") for a in allowed.replace(" or ", ",").split(",")], 1
        )
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{key}: got {problem['input']!r}, expected {allowed}{hint}"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{key}: got {problem['input']!r}, {message}"


def _prefixed(schema: type[BaseModel], location: list[str]) -> list[str]:
    prefix = "".join(f"{part}." for part in location)
    return [prefix + name for name in schema.model_fields]
