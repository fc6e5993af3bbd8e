"""Kinds of agents by name: the folders of `agents/`, and what users register.

A folder's `agent.yaml` names a family, one module of this package, and its defaults; so a new kind
of an old family needs no Python, and without its folder a kind does not exist. A family's module,
and numba with it, is imported when the first of its agents is built.
"""

import dataclasses
import importlib
from typing import Any, Protocol, cast

from numpy.typing import ArrayLike

from robolearn.agents.module_layout import Layout, module_scale
from robolearn.agents.protocol import Agent
from robolearn.definitions import definition_folder, definition_names, read_yaml
from robolearn.errors import UserError, unknown_name
from robolearn.schema import build


class Factory(Protocol):
    """What builds agents: usually the agent's class.

    Attributes:
        hyperparameters: a frozen dataclass with typed fields, a default for every one.
    """

    hyperparameters: type

    def __call__(
        self,
        observation_size: int,
        action_size: int,
        input_scale: ArrayLike | None,
        hyper: Any,
    ) -> Agent:
        """Build an agent; `hyper` is an instance of `hyperparameters`."""
        ...


# family -> (module, name of the factory in it)
_FAMILIES = {
    "mlp": ("robolearn.agents.mlp", "MLP"),
    "gru": ("robolearn.agents.gru", "GRU"),
    "hebbian": ("robolearn.agents.hebbian", "Hebbian"),
    "spiking": ("robolearn.agents.spiking", "Spiking"),
    "three_factor": ("robolearn.agents.three_factor", "ThreeFactor"),
    "r_stdp": ("robolearn.agents.r_stdp", "RSTDP"),
    "policy": ("robolearn.agents.policy", "Policy"),
    "adaptive_policy": ("robolearn.agents.adaptive_policy", "AdaptivePolicy"),
    "recurrent_policy": ("robolearn.agents.recurrent_policy", "RecurrentPolicy"),
    "neuromodulated": ("robolearn.agents.neuromodulated", "Neuromodulated"),
    "node_perturbation_recurrent": (
        "robolearn.agents.node_perturbation_recurrent",
        "NodePerturbationRecurrent",
    ),
}
_DEFINITION_KEYS = {
    "kind", "family", "neuron", "rule", "modulator", "stabiliser", "parameters",
}  # fmt: skip

_registered: dict[str, Factory] = {}


def register(kind: str, factory: Factory) -> None:
    """Add a kind whose defaults are those of `factory.hyperparameters`.

    Raises:
        UserError: the name is taken by another factory, or the factory has no dataclass of
            hyperparameters.
    """
    taken = kind in definition_names("agents") or _registered.get(kind, factory) is not factory
    if taken:
        raise UserError(f"agent kind {kind!r} is taken (taken: {', '.join(kinds())})")
    fields = getattr(factory, "hyperparameters", None)
    if not (isinstance(fields, type) and dataclasses.is_dataclass(fields)):
        raise UserError(f"agent kind {kind!r}: factory.hyperparameters must be a dataclass")
    _registered[kind] = factory


def kinds() -> list[str]:
    """Return the sorted names of all kinds."""
    return sorted({*definition_names("agents"), *_registered})


def hyperparameters(kind: str) -> type:
    """Return the dataclass of the hyperparameters of a kind.

    Raises:
        UserError: unknown kind or broken definition.
    """
    return _factory(kind).hyperparameters


def defaults(kind: str) -> dict[str, Any]:
    """Return all hyperparameters of a kind with the values that it has by default.

    Raises:
        UserError: unknown kind or broken definition.
    """
    return dataclasses.asdict(_resolve(kind, {}))


def make_agent(
    kind: str,
    observation_size: int,
    action_size: int,
    input_scale: ArrayLike | None = None,
    modules: Layout | None = None,
    **hyper: Any,
) -> Agent:
    """Build an agent of a kind.

    Args:
        kind: a name of `kinds()`.
        observation_size: o.
        action_size: a.
        input_scale: (o,), typical magnitude of every observation element, in its unit.
        modules: how the body divides, to give each of its legs such a brain (`agents.modular`);
            None for one brain.
        **hyper: hyperparameters that differ from the kind's defaults.

    Raises:
        UserError: unknown kind or hyperparameter, wrong type or range, bad size or scale.
    """
    if modules is not None:
        from robolearn.agents.modular import Modular  # not for those who only list

        scale = module_scale(modules, input_scale, observation_size)
        senses, motors = modules.inputs.shape[1], modules.outputs.shape[1]
        module = make_agent(kind, senses, motors, scale, **hyper)
        return Modular(module, modules, observation_size, action_size)
    for name, size in (("observation_size", observation_size), ("action_size", action_size)):
        if size < 1:
            raise UserError(f"{name} = {size}: expected at least 1")
    resolved = _resolve(kind, hyper)
    agent = _factory(kind)(observation_size, action_size, input_scale, resolved)
    agent.kind = kind
    reflex = getattr(resolved, "reflex", ())
    if reflex:
        from robolearn.agents.reflex import Reflexive  # not for those who only list

        return cast(Agent, Reflexive(agent, reflex, input_scale))
    return agent


def _resolve(kind: str, given: dict[str, Any]) -> Any:
    """Return the checked hyperparameters: the dataclass's, then agent.yaml's, then those given."""
    in_file = {} if kind in _registered else _definition(kind)["parameters"]
    return build(hyperparameters(kind), {**in_file, **given}, f"agent {kind!r}")


def _factory(kind: str) -> Factory:
    if kind in _registered:
        return _registered[kind]
    family = _definition(kind)["family"]
    if family in _FAMILIES:
        module, name = _FAMILIES[family]
        return cast(Factory, getattr(importlib.import_module(module), name))
    if family in _registered:
        return _registered[family]
    raise unknown_name(f"family in agents/{kind}/agent.yaml", family, {*_FAMILIES, *_registered})


def _definition(kind: str) -> dict[str, Any]:
    """Read agents/<kind>/agent.yaml and check its keys."""
    if kind not in definition_names("agents"):
        raise unknown_name("agent", kind, kinds())
    path = definition_folder("agents", kind) / "agent.yaml"
    content = read_yaml(path)
    for key in content:
        if key not in _DEFINITION_KEYS:
            raise unknown_name(f"key in {path}", key, _DEFINITION_KEYS)
    if content.get("kind") != kind:
        raise UserError(f"{path}: kind = {content.get('kind')!r}, expected the folder's {kind!r}")
    if "family" not in content:
        raise UserError(f"{path}: the key 'family' is missing (valid: {', '.join(_FAMILIES)})")
    parameters = content.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise UserError(f"{path}: parameters: expected a mapping, got {parameters!r}")
    return {**content, "parameters": parameters}
