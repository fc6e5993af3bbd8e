"""The command line, run in this process by the fixture `robolearn`."""

from typing import NamedTuple


class Result(NamedTuple):
    code: int
    out: str
    err: str
