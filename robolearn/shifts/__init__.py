"""Changes of body, world and senses, and the schedule that lets them begin and end."""

from robolearn.shifts import (  # noqa: F401  (they register themselves)
    action_delay,
    force_field,
    friction,
    gravity,
    joint_wear,
    limb_damage,
    motor_gain,
    observation_delay,
    payload,
    probe,
    push,
    rewarded_side,
    sensor_bias,
    sensor_dropout,
    sensor_noise,
    slope,
    terrain,
    visuomotor_mirror,
    visuomotor_rotation,
)
from robolearn.shifts.channel import Stack
from robolearn.shifts.interface import Interface
from robolearn.shifts.plan import (
    ShiftPlan,
    onsets_s,
    parse_shift,
    parse_shifts,
    plans_at,
    shift_rng,
)
from robolearn.shifts.schedule import Schedule
from robolearn.shifts.shift import Shift, make_shift, register, shift_kinds
from robolearn.shifts.shift_state import ShiftState

__all__ = [
    "Interface",
    "Schedule",
    "Shift",
    "ShiftPlan",
    "ShiftState",
    "Stack",
    "make_shift",
    "onsets_s",
    "parse_shift",
    "parse_shifts",
    "plans_at",
    "register",
    "shift_kinds",
    "shift_rng",
]
