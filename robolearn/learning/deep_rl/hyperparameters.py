"""What one chooses of PPO, recurrent PPO, RMA, SAC and TD3, under stable-baselines3's own names.

The actor's layers belong to the brain (`agent:`), all else is here. `actor` names the kind of brain
and what its hyperparameters must be; `feels_reward_and_action`, whether it gets its last reward and
action beside the observation.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Interval, Len

from robolearn.errors import UserError

Count = Annotated[int, Interval(ge=1, le=10**9)]
Individuals = Annotated[int, Interval(ge=1, le=100_000)]
Positive = Annotated[float, Interval(gt=0)]
NotNegative = Annotated[float, Interval(ge=0)]
Share = Annotated[float, Interval(ge=0, le=1)]
Layers = Annotated[tuple[Annotated[int, Interval(ge=1, le=4096)], ...], Len(0, 16)]


@dataclass(frozen=True)
class _OnPolicyConfig:
    """What PPO and recurrent PPO share.

    Attributes:
        num_envs: individuals that live at a time.
        n_steps: control steps of each of them between two updates; an iteration.
        batch_size: steps of one gradient; must divide num_envs * n_steps.
        n_epochs: passes over the steps of an iteration.
        learning_rate: of Adam.
        gamma: discount of a control step.
        gae_lambda: weight of long against short returns in the advantage.
        clip_range: how far the ratio of new to old probability counts.
        ent_coef: weight of the entropy of the policy.
        vf_coef: weight of the critic's loss.
        max_grad_norm: longer gradients are shortened to it.
        log_std_init: first logarithm of the exploration's standard deviation.
        critic_hidden: units of the critic's hidden layers.
        normalize_observation: by the mean and deviation seen so far; else by the env's scales.
        normalize_reward: divide the rewards that are learned from by the deviation of returns.
    """

    num_envs: Individuals = 16
    n_steps: Count = 256
    batch_size: Annotated[int, Interval(ge=2)] = 256
    n_epochs: Count = 10
    learning_rate: Positive = 3e-4
    gamma: Share = 0.99
    gae_lambda: Share = 0.95
    clip_range: Positive = 0.2
    ent_coef: NotNegative = 0.0
    vf_coef: NotNegative = 0.5
    max_grad_norm: Positive = 0.5
    log_std_init: float = 0.0
    critic_hidden: Layers = (64, 64)
    normalize_observation: bool = True
    normalize_reward: bool = True

    def __post_init__(self) -> None:
        """Refuse batches that do not fit."""
        if self.iteration_steps % self.batch_size:
            raise UserError(
                f"batch_size: got {self.batch_size}, expected a divisor of {self.iteration_steps}"
            )

    @property
    def iteration_steps(self) -> int:
        """Control steps of all individuals in an iteration."""
        return self.num_envs * self.n_steps


@dataclass(frozen=True)
class PPOConfig(_OnPolicyConfig):
    """PPO: proximal policy optimisation (Schulman et al. 2017), stable-baselines3's.

    Attributes:
        ortho_init: begin with orthogonal weights.
    """

    ortho_init: bool = True

    actor: ClassVar[dict[str, Any]] = {"kind": "policy", "output": "clip"}
    feels_reward_and_action: ClassVar[bool] = False


@dataclass(frozen=True)
class RecurrentPPOConfig(_OnPolicyConfig):
    """PPO with an LSTM that feels its last reward and action, sb3-contrib's RecurrentPPO.

    Attributes:
        critic_hidden: units of the layers on the critic's own LSTM, which is as large as the
            actor's.
    """

    batch_size: Annotated[int, Interval(ge=2)] = 512
    critic_hidden: Layers = (64,)

    actor: ClassVar[dict[str, Any]] = {"kind": "recurrent_policy"}
    feels_reward_and_action: ClassVar[bool] = True


@dataclass(frozen=True)
class RMAConfig(PPOConfig):
    """RMA: PPO that is told the shifts, then a module that infers them (Kumar et al. 2021).

    Attributes:
        policy_steps: control steps of all individuals for PPO; the rest trains the module.
        encoder_hidden: units of the layers between the shifts and their latent.
        adaptation_epochs: passes of the module over the steps of an iteration, with `batch_size`.
        adaptation_learning_rate: of the module's Adam.
    """

    policy_steps: Count = 1_000_000
    encoder_hidden: Layers = (64,)
    adaptation_epochs: Count = 4
    adaptation_learning_rate: Positive = 5e-4

    actor: ClassVar[dict[str, Any]] = {"kind": "adaptive_policy"}
    feels_reward_and_action: ClassVar[bool] = True

    @property
    def policy_iterations(self) -> int:
        """Iterations of PPO; the last is a whole one."""
        return -(-self.policy_steps // self.iteration_steps)


@dataclass(frozen=True)
class _OffPolicyConfig:
    """What SAC and TD3 share.

    Attributes:
        num_envs: individuals that live at a time.
        iteration_steps: control steps of all of them between two lines of the log; a multiple of
            num_envs * train_freq.
        buffer_size: control steps that are remembered.
        learning_starts: control steps of random actions before the first gradient; a resumed run
            fills its new memory with as many steps of its policy, in whole iterations.
        batch_size: steps of one gradient.
        train_freq: control steps of each individual between two updates.
        gradient_steps: gradients of an update.
        learning_rate: of Adam.
        gamma: discount of a control step.
        tau: share of the networks that their slow copies take over in a gradient step.
        critic_hidden: units of the critics' hidden layers.
        normalize_observation: by the mean and deviation seen so far; else by the env's scales.
        normalize_reward: divide rewards by the deviation of returns seen so far.
    """

    num_envs: Individuals = 16
    iteration_steps: Count = 4000
    buffer_size: Count = 300_000
    learning_starts: Count = 5000
    batch_size: Count = 256
    train_freq: Count = 1
    gradient_steps: Count = 8
    learning_rate: Positive = 3e-4
    gamma: Share = 0.99
    tau: Share = 0.005
    critic_hidden: Layers = (256, 256)
    normalize_observation: bool = True
    normalize_reward: bool = False

    actor: ClassVar[dict[str, Any]] = {"kind": "policy", "output": "tanh"}
    feels_reward_and_action: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse iterations that do not hold whole updates."""
        update_steps = self.num_envs * self.train_freq
        if self.iteration_steps % update_steps:
            raise UserError(
                f"iteration_steps: got {self.iteration_steps}, expected a multiple of "
                f"{update_steps}"
            )


@dataclass(frozen=True)
class SACConfig(_OffPolicyConfig):
    """SAC: soft actor-critic with learned temperature (Haarnoja et al. 2018), as in SB3."""


@dataclass(frozen=True)
class TD3Config(_OffPolicyConfig):
    """TD3: twin delayed deterministic policy gradient (Fujimoto et al. 2018), stable-baselines3's.

    Attributes:
        action_noise: standard deviation of the exploration.
        policy_delay: gradients of the critics for one of the actor.
        target_policy_noise: standard deviation of the noise on the actions that critics foresee.
        target_noise_clip: bound of that noise.
    """

    learning_rate: Positive = 1e-3
    action_noise: Positive = 0.1
    policy_delay: Count = 2
    target_policy_noise: NotNegative = 0.2
    target_noise_clip: NotNegative = 0.5
