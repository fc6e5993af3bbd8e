"""Whether a condition of a protocol is new to an agent: could training draw its shifts?"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from robolearn.shifts import Shift, ShiftPlan, make_shift
from robolearn.worlds import World

Seen = Literal["seen", "partly", "symmetric", "unseen"]
SEEN: tuple[Seen, ...] = get_args(Seen)


def seen_in_training(
    shifts: list[Shift],
    trained_on: tuple[ShiftPlan, ...],
    world: World,
    alike: Mapping[str, Sequence[str]],
) -> Seen:
    """Tell whether all, none or some of `shifts` could be drawn in training.

    Args:
        shifts: that a condition may draw.
        trained_on: what could happen in the lives of training.
        world: whose shifts they are.
        alike: for each leg, the other legs that the same weights drive; empty for none.
    """
    met = [_could_meet(trained_on, shift, world) for shift in shifts]
    if all(met):
        return "seen"
    if any(met):
        return "partly"
    if all(
        any(_could_meet(trained_on, own, world) for own in _on_alike_legs(shift, world, alike))
        for shift in shifts
    ):
        return "symmetric"
    return "unseen"


def _on_alike_legs(shift: Shift, world: World, alike: Mapping[str, Sequence[str]]) -> list[Shift]:
    """Return a shift of one leg, or of a joint or motor of it, as it would be on legs like it."""
    if len(shift.legs(world)) != 1:
        return []
    (hurt,) = shift.legs(world)
    names, values = _names_of(hurt, world), dataclasses.asdict(shift)
    moved = []
    for leg in alike.get(hurt, ()):
        there = dict(zip(names, _names_of(leg, world), strict=False))
        own = {k: there.get(v, v) if isinstance(v, str) else v for k, v in values.items()}
        if own != values:
            moved.append(make_shift(shift.kind, world, **own))
    return moved


def _names_of(leg: str, world: World) -> list[str]:
    """Return the names of a leg, its joints and its motors, in the same order for every leg."""
    joints = [world.model.joint(int(i)).name for i in world.legs[leg].joints]
    return [leg, *joints, *(world.model.actuator(int(i)).name for i in world.legs[leg].motors)]


def _could_meet(plans: tuple[ShiftPlan, ...], shift: Shift, world: World) -> bool:
    """Return whether one of `plans` draws `shift`, or what is the same to a body."""
    same = (shift, *shift.same_as(world))
    return any(_could_draw(plan, one) for plan in plans for one in same)


def _could_draw(plan: ShiftPlan, shift: Shift) -> bool:
    """Return whether a plan draws `shift` with positive probability (or density)."""
    if plan.kind != shift.kind or plan.probability == 0:
        return False
    choices = []
    for name, value in plan.values.items():
        if isinstance(value, dict):
            low, high = value["uniform"]
            wanted = getattr(shift, name)
            choices.append([wanted if low <= wanted <= high else low])
        else:
            choices.append(value if isinstance(value, list) else [value])
    # Built anew, so that what a mode does not use (a dead leg's fraction) makes no difference.
    return any(
        type(shift)(**dict(zip(plan.values, values, strict=True))) == shift
        for values in itertools.product(*choices)
    )
