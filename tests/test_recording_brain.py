"""What is shown of a brain is what went on in it: series, figures, and panels beside films."""

import dataclasses
from typing import Any, cast

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from robolearn.agents.protocol import Feedback, Trace, traces_of
from robolearn.agents.registry import kinds, make_agent
from robolearn.errors import UserError
from robolearn.recording import ShiftEvent, Trajectory, brain_figure, record
from robolearn.recording.brain import MOST_ELEMENTS, Brain, BrainWitness, Series
from robolearn.recording.brain_figure import draw_brain, most_changing, write_brain_figure
from robolearn.recording.brain_panel import BrainPanel
from robolearn.recording.damage import DAMAGE_RGB

STEPS = 60


def recorded(**changes: Any) -> Trajectory:
    """A life of 1.2 s, seen from 3 s on, damaged at 3.6 s, with a brain of three series."""
    rng = np.random.default_rng(0)
    weights = np.cumsum(rng.normal(size=(STEPS // 2, 80)), axis=0)
    error = np.zeros((STEPS // 2, 1))
    error[4], error[20] = 1.0, -0.5
    brain = Brain(
        2,
        (
            Series("weights", "1", "weight", weights),
            Series("reward prediction error", "reward", "event", error),
            Series("firing rates", "spikes/s", "level", rng.uniform(0, 50, (STEPS // 2, 3))),
        ),
    )
    life = Trajectory(
        world="robolearn/Toy-v0",
        control_step_s=0.02,
        qpos=np.zeros((STEPS, 7)),
        speed=np.linspace(0, 1, STEPS),
        reward=np.zeros(STEPS),
        shifts=(ShiftEvent("limb_damage:front:dead@3.6s", 3.6),),
        start_s=3.0,
        brain=brain,
    )
    return dataclasses.replace(life, **changes)


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_declares_series_that_follow_its_state(kind: str):
    agent = make_agent(kind, 6, 2)
    rng = np.random.default_rng(1)
    parameters = agent.express(rng.normal(size=(3, agent.genome.size)))
    state = agent.new_state(3)
    agent.reset(parameters, state, np.arange(3), [np.random.default_rng(i) for i in range(3)])
    before = {name: trace.values.copy() for name, trace in traces_of(agent, state).items()}
    feedback = Feedback.first(3)
    for step in range(20):
        feedback.reward[:] = rng.normal(size=3)
        feedback.trial_end[:] = step == 18
        agent.act(parameters, state, rng.normal(size=(3, 6)).astype(np.float32), feedback)
    after = traces_of(agent, state)
    assert list(after) == list(before)
    changing = dataclasses.fields(state)
    assert bool(after) == bool(changing)  # a brain that has a state shows some of it
    for name, trace in after.items():
        assert trace.values.shape == before[name].shape
        assert len(trace.values) == 3
        assert np.isfinite(trace.values).all()
    if after:
        assert any((trace.values != before[name]).any() for name, trace in after.items())


def test_the_firing_rates_of_spiking_brains_are_spikes_a_second():
    agent = make_agent("spiking", 2, 1, hidden=3, spike_steps=4, control_step_s=0.02)
    state: Any = agent.new_state(1)
    state.readout_trace[:] = 0.25  # one spike in four steps of 5 ms
    rates = traces_of(agent, state)["firing rates"]
    np.testing.assert_allclose(rates.values, 50.0)
    assert rates.unit == "spikes/s"


def test_a_brain_that_declares_nothing_shows_nothing():
    assert traces_of(cast(Any, object()), None) == {}


def test_levels_are_sampled_and_events_are_never_missed():
    witness = BrainWitness(stride=5)
    for step in range(11):
        error = {3: -2.0, 4: 1.0, 8: 0.5}.get(step, 0.0)
        witness.see(
            step,
            {
                "level": Trace(np.array([[step, -step], [9, 9]])),
                "error": Trace(np.array([[error], [9]]), "reward", "event"),
            },
        )
    brain = witness.brain()
    assert brain["level"].values.tolist() == [[0, 0], [5, -5], [10, -10]]
    assert brain["error"].values.tolist() == [[0], [-2.0], [0.5]]
    assert brain["error"].axis_label == "error (reward)"


def test_of_a_large_matrix_the_same_drawn_elements_are_noted(tmp_path):
    witness = BrainWitness(stride=1)
    size = 3 * MOST_ELEMENTS
    for step in range(2):
        witness.see(step, {"weights": Trace(np.arange(size)[None] + 0.5 * step, kind="weight")})
    series = witness.brain()["weights"]
    assert series.values.shape == (2, MOST_ELEMENTS)
    assert series.total == size
    assert (np.diff(series.values[0]) > 0).all()
    np.testing.assert_array_equal(series.values[1], series.values[0] + 0.5)
    again = Trajectory.load(recorded(brain=witness.brain()).save(tmp_path / "life.npz")).brain
    assert again is not None
    assert again["weights"].total == size


def test_a_brain_comes_back_with_its_trajectory(tmp_path):
    life = recorded()
    again = Trajectory.load(life.save(tmp_path / "life.npz"))
    assert again.start_s == 3.0
    assert life.brain is not None
    assert again.brain is not None
    assert again.brain.stride == 2
    for before, after in zip(life.brain.series, again.brain.series, strict=True):
        assert (before.name, before.unit, before.kind) == (after.name, after.unit, after.kind)
        np.testing.assert_array_equal(before.values, after.values)


def test_what_changes_most_is_chosen():
    values = np.array([[0, 5, 0, 1], [1, 5, -9, 3]])
    assert most_changing(values, 2).tolist() == [2, 3]


def test_the_figure_marks_the_onset_on_one_time_axis_for_all():
    drawing = draw_brain(recorded(), (480, 500))
    assert drawing.picture.shape == (500, 480, 3)
    assert len(drawing.rows) == 4  # the performance and three series
    onset = round(drawing.left + 0.5 * (drawing.right - drawing.left))  # 3.6 s of 3.0 to 4.2 s
    red = np.abs(drawing.picture - 255 * np.array(DAMAGE_RGB)).max(axis=2) < 60
    for top, bottom in drawing.rows:
        marked = red[top + 1 : bottom - 1, onset - 2 : onset + 3].any(axis=1)
        assert marked.mean() > 0.9


@pytest.mark.parametrize("onset_s", [2.0, 3.0, 3.6, 3.9, 4.19])
def test_the_name_of_a_shift_is_never_cut_off(onset_s: float):
    life = recorded(shifts=(ShiftEvent("limb_damage:front_left:shortened:0.5@3.6s", onset_s),))
    figure = brain_figure._figure(life, width_in=4.8, dpi=100, height_in=5)
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    (name,) = axes.texts
    frame, box = axes.get_window_extent(), name.get_window_extent()
    assert name.get_text().strip() == "front left leg shortened 0.5"
    assert frame.x0 - 1 <= box.x0
    assert box.x1 <= frame.x1 + 1


def test_the_cursor_of_the_panel_moves_with_time_and_fades_the_future():
    panel = BrainPanel(recorded(), (480, 500))
    first, middle, last = (panel.at(step).astype(int) for step in (0, STEPS // 2, STEPS - 1))
    assert not np.shares_memory(panel.at(0), panel.at(0))
    ink = [(255 - picture).sum() for picture in (first, middle, last)]
    assert ink[0] < ink[1] < ink[2]
    assert np.array_equal(first[:, :20], last[:, :20])  # the writing at the edge is not faded


def test_a_figure_is_written_without_a_film_and_needs_a_brain(tmp_path):
    files = record(tmp_path / "life.png", recorded(), [])
    assert [file.name for file in files] == ["life.npz", "life.png"]
    assert {file.name for file in tmp_path.iterdir()} == {"life.npz", "life.png"}
    with Image.open(files[1]) as picture:
        assert picture.width == 1125
    with pytest.raises(UserError, match="needs a life recorded with its brain"):
        record(tmp_path / "other.png", recorded(brain=None), [])
    with pytest.raises(ValueError, match="without its brain"):
        write_brain_figure(tmp_path / "other.png", recorded(brain=None))


@pytest.mark.parametrize("length", [1, 2, 5001])
def test_short_and_long_lives_can_be_drawn(length: int, tmp_path):
    rng = np.random.default_rng(2)
    series = (
        Series("weights", "1", "weight", rng.normal(size=(length, 20))),
        Series("error", "1", "event", rng.normal(size=(length, 1))),
        Series("still", "1", "weight", np.zeros((length, 20))),
    )
    life = Trajectory(
        "toy", 0.02, np.zeros((length, 1)), np.ones(length), np.ones(length),
        measure=("food", "1/trial"), brain=Brain(1, series),
    )  # fmt: skip
    assert write_brain_figure(tmp_path / "life.png", life).stat().st_size > 1000
