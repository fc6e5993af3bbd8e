"""What is kept for a world: once, as long as it lives, and not without end."""

from collections.abc import Callable

from robolearn.worlds import World, load_world, once_per_world
from robolearn.worlds.memory import MOST_KEPT


def counting() -> tuple[list[int], Callable[[World, int], int]]:
    calls: list[int] = []

    @once_per_world
    def square(world: World, number: int) -> int:
        calls.append(number)
        return number * number

    return calls, square


def test_a_value_is_worked_out_once_for_each_world():
    calls, square = counting()
    one, other = load_world("quadruped"), load_world("quadruped")
    assert [square(one, 3), square(one, 3), square(other, 3)] == [9, 9, 9]
    assert calls == [3, 3]


def test_what_was_asked_for_last_is_kept():
    calls, square = counting()
    world = load_world("quadruped")
    for number in range(MOST_KEPT):
        square(world, number)
    square(world, 0)  # now 1 is the one that was not asked for longest
    square(world, MOST_KEPT)
    calls.clear()
    square(world, 0)
    assert calls == []
    square(world, 1)
    assert calls == [1]
