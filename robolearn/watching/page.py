"""The page of the live view: scene, buttons and speed trace, served to this machine alone."""

import html
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from robolearn.envs.witness import film_camera, hurt_bodies
from robolearn.recording.captions import speed_text
from robolearn.recording.damage import painted
from robolearn.recording.stage import Stage, local_server
from robolearn.shifts.shift import Shift
from robolearn.watching.life import WatchedLife

if TYPE_CHECKING:
    import viser

FRAMES_PER_S = 25.0
READOUTS_PER_S = 5.0
TRACE_S = 20.0  # of the past are in the speed trace
LOG_LINES = 6
HEAL = "heal"
_FLOOR_MARGIN_M = 200.0
_PATIENCE_S = 0.25  # a delay of more is not made up for: time just passes more slowly


class WatchPage:
    """Shows one life in the browser, at its own pace; use it in a `with` statement.

    The viewer calls from threads of its own; what it asks for is queued, and done between two
    control steps by whoever is in `run`.

    Attributes:
        url: where the page is.
        paused: whether time stands still.
    """

    def __init__(self, life: WatchedLife, port: int = 0) -> None:
        self.life = life
        self.paused = False
        self._port = port
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._looks: dict[frozenset[Shift], mujoco.MjModel] = {}
        self._trace: deque[tuple[float, float, bool]] = deque(
            maxlen=round(TRACE_S * READOUTS_PER_S)
        )
        self._stack = ExitStack()

    def __enter__(self) -> "WatchPage":
        world = self.life.world
        server = self._stack.enter_context(local_server(self._port, "robolearn"))
        self.url = f"http://127.0.0.1:{server.get_port()}"
        server.gui.configure_theme(
            dark_mode=False, show_logo=False, show_share_button=False, control_width="large"
        )
        self._stage = Stage(
            server,
            [self._look()],
            self.life.env.simulation.qpos[0],
            self._mocap(),
            film_camera(world.name),
            _FLOOR_MARGIN_M,
        )
        self._build_panel(server)
        self._show(0.0)
        self._read_out()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Live and show, one second of life a second, until `is_over()`."""
        life, due = self.life, time.monotonic()
        frame_every = max(1, round(1 / FRAMES_PER_S / life.step_s))
        readout_s = 1 / READOUTS_PER_S
        next_readout = due
        while not is_over():
            if self._obey():
                self._show(0.0)
                next_readout = due
            if self.paused or life.ended:
                due = time.monotonic() + readout_s / 4
            else:
                life.step()
                due += life.step_s
                if life.steps % frame_every == 0 or life.ended:
                    self._show(frame_every * life.step_s)
            now = time.monotonic()
            if now >= next_readout:
                self._read_out()
                next_readout = now + readout_s
            if due > now:
                time.sleep(due - now)
            elif now - due > _PATIENCE_S:
                due = now

    def _obey(self) -> bool:
        """Do what was asked for; return whether anything was."""
        obeyed = False
        while True:
            try:
                order = self._orders.get_nowait()
            except Empty:
                return obeyed
            order()
            obeyed = True

    def _build_panel(self, server: "viser.ViserServer") -> None:
        gui, life = server.gui, self.life
        self._status = gui.add_html("")
        self._pause = gui.add_button("Pause")
        self._pause.on_click(lambda _: self._orders.put(self._toggle_pause))
        gui.add_button("New life").on_click(lambda _: self._orders.put(self._restart))
        name, unit = life.env.task.performance_name, life.env.task.performance_unit
        nothing = (np.zeros(0),) * 3
        self._chart = gui.add_uplot(
            nothing,
            (
                {"label": "s"},
                {"label": name if unit == "1" else f"{name}, {unit}", "stroke": "#1f77b4",
                 "width": 2},
                {"label": "changed", "stroke": "#dc121940", "fill": "#dc121920", "width": 1},
            ),
            scales={"x": {"time": False}},
            axes=({"label": "time of life (s)"}, {}),
            height=200,
        )  # fmt: skip
        modes: dict[str, dict[str, Shift]] = {}
        for leg, mode, shift in life.leg_shifts():
            modes.setdefault(leg, {})[mode] = shift
        if modes:
            with gui.add_folder("Legs"):
                for leg, shifts in modes.items():
                    self._add_leg(gui, leg, shifts)
        with gui.add_folder("Body, world and senses", expand_by_default=not modes):
            self._boxes = [self._add_box(gui, title, one) for title, one in life.other_shifts()]
        with gui.add_folder("What happened"):
            self._log = gui.add_html("")

    def _add_leg(self, gui: Any, leg: str, shifts: dict[str, Shift]) -> None:
        buttons = gui.add_button_group(leg.replace("_", " "), (*shifts, HEAL))

        @buttons.on_click
        def _(event: Any) -> None:
            mode = event.target.value
            if mode == HEAL:
                self._orders.put(lambda: self.life.heal(leg))
            else:
                self._orders.put(lambda: self.life.begin(shifts[mode]))

    def _add_box(self, gui: Any, title: str, shift: Shift) -> tuple[Any, Shift]:
        box = gui.add_checkbox(title, False)

        @box.on_update
        def _(event: Any) -> None:
            if event.client is None:  # we ticked it ourselves
                return
            change = self.life.begin if box.value else self.life.end
            self._orders.put(lambda: change(shift))

        return box, shift

    def _toggle_pause(self) -> None:
        self.paused = not self.paused
        self._pause.label = "Go on" if self.paused else "Pause"

    def _restart(self) -> None:
        self.life.restart()
        self._trace.clear()

    def _show(self, step_s: float) -> None:
        qpos = self.life.env.simulation.qpos[0]
        self._stage.show(self._look(), qpos, self._mocap(), step_s)

    def _look(self) -> mujoco.MjModel:
        """The body as it is now, what is hurt in red."""
        env = self.life.env
        shifts = frozenset(env.schedule.shifts_of(0))
        if shifts not in self._looks:
            hurt = {body for shift in shifts for body in hurt_bodies(shift, self.life.world)}
            self._looks[shifts] = painted(env.simulation.model_of(0), hurt)
        return self._looks[shifts]

    def _mocap(self) -> Any:
        return self.life.env.simulation.read("mocap_pos")[0]

    def _read_out(self) -> None:
        """Bring status, trace, boxes and log up to date."""
        life = self.life
        speed, time_s = life.speed, life.time_s
        if not self._trace or self._trace[-1][:2] != (time_s, speed):  # time or life goes on
            self._trace.append((time_s, speed, bool(life.active)))
        at, value, changed = (np.array(column) for column in zip(*self._trace, strict=True))
        high = max(0.1, 1.1 * value.max())
        # The viewer's charts know no gaps: a red band behind the curve tells of the shifts.
        self._chart.data = at, value, np.where(changed, high, 0.0)
        acting = set(life.env.schedule.shifts_of(0))
        for box, shift in self._boxes:
            if box.value != (shift in acting):
                box.value = shift in acting
        self._status.content = self._status_text(speed, time_s)
        lines = [f"{at_s:.1f} s: {html.escape(words)}" for at_s, words in life.log[-LOG_LINES:]]
        self._log.content = _block("log", "<br>".join(reversed(lines)))

    def _status_text(self, speed: float, time_s: float) -> str:
        life = self.life
        task, config = life.env.task, life.trained.config
        measured = speed_text(speed, (task.performance_name, task.performance_unit))
        told = [f"{one.title}, {time_s - one.onset_s:.1f} s ago" for one in life.active]
        state = "the life has ended" if life.ended else "paused" if self.paused else ""
        return _block(
            "status",
            f"<b>{html.escape(config.name)}</b>, seed {config.seed}, in {config.env.id}<br>"
            f'<span style="font-size:1.5em">{html.escape(measured)}</span> at {time_s:.1f} s'
            f'<br><span style="color:#c8141e">{html.escape("; ".join(told))}</span>'
            f"{'<br>' * bool(told)}{state or 'running'}",
        )


def _block(name: str, content: str) -> str:
    style = "font:13px/1.5 system-ui,sans-serif;padding:0 .75em"
    return f'<div id="robolearn-{name}" style="{style}">{content}</div>'
