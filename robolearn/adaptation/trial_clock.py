"""Lives whose time is counted in trials: when shifts begin and learning stops, and how trials go.

Who drives fast through a maze ends a trial, and a life, earlier. So that agents of any speed have
the same number of trials before and after a shift, it begins between two trials of a given number,
not at a second of life.
"""

import numpy as np
from numpy.typing import NDArray

from robolearn.lifetime import NEVER, Moment
from robolearn.shifts import ShiftPlan
from robolearn.worlds import World

# Purpose key of the stream from which what begins after a trial draws; protocols own 3.
_TRIAL_STREAM = 4


class TrialClock:
    """A listener that begins and ends shifts by trials, stops learning, and keeps the scores.

    What is random in a shift is a function of the seed of the life and the trial, not of the row.

    Args:
        world: of the lives.
        plans: of each row, with onsets and ends counted in trials.
        seeds: (n,) of the lives.
        frozen_from: (n,) number of trials after whose lessons each brain no longer learns.
        trials: of a life.

    Attributes:
        frozen_from_step: (n,), for `lifetime.live`, which reads it anew in every step.
        score: (n, trials), `trial_score` of each trial; 0 for one that was never finished.
    """

    def __init__(
        self,
        world: World,
        plans: list[tuple[ShiftPlan, ...]],
        seeds: NDArray[np.int64],
        frozen_from: NDArray[np.int64],
        trials: int,
    ):
        n = len(plans)
        self.score = np.zeros((n, trials), np.float32)
        self.frozen_from_step = np.where(frozen_from <= 0, 0, NEVER)
        self._seeds = seeds
        self._frozen_from = frozen_from
        self._done = np.zeros(n, np.int64)
        self._events: list[dict[int, list[tuple[bool, ShiftPlan]]]] = [{} for _ in range(n)]
        self._world = world
        for row, its in enumerate(plans):
            for plan in its:
                for begins, trial in ((True, plan.onset_s), (False, plan.end_s)):
                    if trial is not None and trial > 0:
                        self._events[row].setdefault(round(trial), []).append((begins, plan))

    def __call__(self, moment: Moment) -> None:
        """Listen to a step."""
        ended = np.flatnonzero(moment.infos["trial_end"] & moment.alive)
        for row in ended.tolist():
            trial = self._done[row]
            if trial < self.score.shape[1]:
                self.score[row, trial] = moment.infos["trial_score"][row]
            self._done[row] += 1
            if self._done[row] == self._frozen_from[row]:
                # What this trial brought is heard, and learned from, in the step that follows it.
                self.frozen_from_step[row] = moment.step + 2
            self._change(moment, row)

    def _change(self, moment: Moment, row: int) -> None:
        """Begin and end what is due in a row before its next trial."""
        trial = int(self._done[row])
        due = self._events[row].get(trial, [])
        rng = np.random.default_rng([int(self._seeds[row]), _TRIAL_STREAM, trial])
        # What ends makes room for what begins.
        for begins, plan in sorted(due, key=lambda event: event[0]):
            (shift,) = plan.shifts(self._world)
            rows = np.array([row])
            if begins:
                moment.env.schedule.begin(shift, rows, moment.step + 1, rngs=[rng])
            else:
                moment.env.schedule.end(shift, rows)

    @property
    def done(self) -> NDArray[np.int64]:
        """Number of trials that each life has finished, (n,)."""
        return self._done.copy()
