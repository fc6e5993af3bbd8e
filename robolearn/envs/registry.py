"""The kinds of task by name; `env.yaml` names one, and users may register their own."""

from importlib import import_module

from robolearn.envs.task import Task
from robolearn.errors import UserError, unknown_name

_OURS = {
    "avoid": ("robolearn.envs.avoid", "Avoid"),
    "delayed_match": ("robolearn.envs.delayed_match", "DelayedMatch"),
    "reach": ("robolearn.envs.reach", "Reach"),
    "run": ("robolearn.envs.run", "Run"),
    "tmaze": ("robolearn.envs.tmaze", "TMaze"),
    "walk": ("robolearn.envs.walk", "Walk"),
}
_REGISTERED: dict[str, type[Task]] = {}


def register_task(task: type[Task]) -> type[Task]:
    """Make a task known by its name; usable as a class decorator."""
    _REGISTERED[task.name] = task
    return task


def task_type(name: str, where: str) -> type[Task]:
    """Return the task of that name; `where` says who asks.

    Raises:
        UserError: there is none; the message lists the valid names.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    if name not in _OURS:
        raise UserError(f"{where}: {unknown_name('task', name, [*_OURS, *_REGISTERED])}")
    module, attribute = _OURS[name]
    return getattr(import_module(module), attribute)
