"""The sections of a run: what a recipe may say, and of which type and range."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

# No life is shorter than a control step, of which the slowest worlds here do ten a second.
LEAST_LIFE_S, MOST_LIFE_S = 0.1, 1e5


class Section(BaseModel):
    """A mapping whose keys are fixed."""

    # Strict: "3", 3.0 and true are no integers. Infinite and undefined numbers are no settings.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class EnvSection(Section):
    """Where the agents live.

    Attributes:
        id: a Gymnasium id of this package, such as robolearn/Quadruped-v0.
        variant: a variant of its world, or null.
        life_s: length of a training life in seconds, of 0.1 or more; null for the env's own.
        shifts: what may happen to the body in training, drawn anew for every life: texts such as
            `limb_damage:front_left:dead@5s`, or mappings. `iterations: [from, until]` in one binds
            it to some generations; validation has the shifts of the last. With `mildest: {gain: 1}`
            a shift begins that mild and grows to its own values as fast as it is survived.
        parameters, rewards: replace values under the same key of the env's `env.yaml`.
    """

    id: str
    variant: str | None = None
    life_s: float | None = Field(None, ge=LEAST_LIFE_S, le=MOST_LIFE_S)
    shifts: list[Any] = []
    parameters: dict[str, Any] = {}
    rewards: dict[str, Any] = {}

    @field_validator("shifts", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | dict) else value


class OpenSection(Section):
    """A section whose further keys are the hyperparameters of its `kind`, checked by that kind."""

    model_config = ConfigDict(extra="allow")

    kind: str

    @property
    def hyper(self) -> dict[str, Any]:
        """The hyperparameters."""
        return dict(self.model_extra or {})


class AgentSection(OpenSection):
    """The brain: `kind` is a folder of `agents/`, further keys are its hyperparameters.

    Attributes:
        modules: legs or sides gives each of them a brain of its own with the same genes, mirrored
            left and right; null is one brain.
    """

    modules: Literal["legs", "sides"] | None = None


class LearningSection(OpenSection):
    """What changes between lives, in iterations: generations, or rollouts with their gradients.

    Attributes:
        kind: the learner, such as openai_es or ppo; further keys are its hyperparameters.
        validate_every: iterations between two validations.
        validation_lives: lives of a validation, as long as the env's own, or as those of training
            if they are longer; half of them meet the shifts of training, of an odd number one more.
    """

    validate_every: int = Field(20, ge=1)
    validation_lives: int = Field(16, ge=1, le=10_000)


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
    lifetimes: int = Field(1, ge=1, le=10_000)
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


class TrackingSection(Section):
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


class Config(Section):
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
