"""Changes of body, world and senses, and the schedule that lets them begin and end."""

from robolearn.shifts import limb_damage, motor_gain  # noqa: F401  (they register themselves)
from robolearn.shifts.channel import Stack
from robolearn.shifts.interface import Interface
from robolearn.shifts.plan import ShiftPlan, parse_shift, parse_shifts
from robolearn.shifts.schedule import Schedule
from robolearn.shifts.shift import Shift, make_shift, register, shift_kinds

__all__ = [
    "Interface",
    "Schedule",
    "Shift",
    "ShiftPlan",
    "Stack",
    "make_shift",
    "parse_shift",
    "parse_shifts",
    "register",
    "shift_kinds",
]
