"""The live view: what is pressed happens to the body, in mid-life, and is seen on the page."""

import shutil
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_run import tiny_config

from robolearn.definitions import definition_folder, definition_names, read_yaml
from robolearn.shifts.shift import Shift, make_shift
from robolearn.watching import WatchedLife, WatchPage
from robolearn.zoo import TrainedAgent, build_agent, load_trained, make_env

WALKER = "spiking/quadruped-quickstart"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
BROWSER_ARGUMENTS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
PATIENCE_MS = 120_000


@pytest.fixture
def life() -> WatchedLife:
    return WatchedLife(load_trained(WALKER), seed=0)


def walk(life: WatchedLife, steps: int) -> np.ndarray:
    """Return the poses (steps, nq)."""
    poses = []
    for _ in range(steps):
        life.step()
        poses.append(life.env.simulation.qpos[0].copy())
    return np.stack(poses)


def damage(life: WatchedLife, leg: str, mode: str) -> Shift:
    return make_shift("limb_damage", life.world, leg=leg, mode=mode)


def motor_gains(life: WatchedLife) -> np.ndarray:
    return life.env.simulation.body("actuator_gainprm", np.array([0]))[0, :, 0]


def test_a_leg_is_broken_and_healed_in_mid_life(life: WatchedLife):
    dead = damage(life, "rear_left", "dead")
    sound = motor_gains(life)
    walk(life, 10)
    life.begin(dead)
    motors = life.world.legs["rear_left"].motors
    assert (motor_gains(life)[motors] == 0).all()
    assert [event.title for event in life.active] == ["rear left leg dead"]
    assert life.active[0].onset_s == pytest.approx(0.2)
    walk(life, 2)
    life.heal("rear_left")
    np.testing.assert_array_equal(motor_gains(life), sound)
    assert life.active == ()
    assert [words for _, words in life.log] == [
        "life 0 begins", "rear left leg dead begins", "rear left leg dead ends",
    ]  # fmt: skip


def test_what_is_watched_is_the_life_that_would_be_lived_anyway(life: WatchedLife):
    """A damage by hand equals the same damage by schedule, bit for bit."""
    from robolearn.filming import live_on_camera

    shifts = ["limb_damage:front_left:locked@0.2s"]
    planned, _ = live_on_camera(load_trained(WALKER), shifts, seed=0, life_s=0.5)
    first = walk(life, 10)
    life.begin(damage(life, "front_left", "locked"))
    np.testing.assert_array_equal(np.concatenate([first, walk(life, 15)]), planned.qpos)


def test_a_second_damage_of_a_leg_takes_the_place_of_the_first(life: WatchedLife):
    life.begin(damage(life, "rear_left", "dead"))
    life.begin(damage(life, "front_left", "dead"))
    life.begin(damage(life, "rear_left", "amputated"))
    assert [event.title for event in life.active] == [
        "front left leg dead", "rear left leg amputated",
    ]  # fmt: skip


def test_a_push_passes_by_itself(life: WatchedLife):
    push = make_shift("push", life.world)
    life.begin(push)
    steps = round(push.lasts_s(life.world) / life.step_s)
    walk(life, steps)
    assert life.active
    walk(life, 1)
    assert not life.active


def test_a_new_life_is_sound_and_takes_the_next_seed(life: WatchedLife):
    start = life.env.simulation.qpos[0].copy()
    life.begin(damage(life, "rear_left", "dead"))
    walk(life, 5)
    life.restart()
    assert (life.seed, life.steps, life.active, life.ended) == (1, 0, (), False)
    assert not np.array_equal(life.env.simulation.qpos[0], start)
    life.restart(0)
    np.testing.assert_array_equal(life.env.simulation.qpos[0], start)


def test_a_life_that_has_ended_stands_still_and_scores_nothing(life: WatchedLife):
    walk(life, 50)
    for leg in life.world.legs:
        life.begin(damage(life, leg, "dead"))
    for _ in range(500):
        life.step()
    assert life.ended
    assert life.speed == 0
    assert life.log[-1][1] == "the life ended: it fell"
    steps = life.steps
    life.step()
    assert life.steps == steps


def newborn(name: str) -> WatchedLife:
    """An untrained brain in the body `name`."""
    env_id = read_yaml(definition_folder("envs", name) / "env.yaml")["id"]
    config = tiny_config(
        env={"id": env_id, "life_s": 4.0, "shifts": []}, agent={"kind": "mlp", "hidden": [4]}
    )
    agent = build_agent(config, make_env(config, 1))
    genome = agent.genome.initial(np.random.default_rng(0))
    return WatchedLife(TrainedAgent(name, agent, genome, config, Path(name)))


@pytest.mark.parametrize("name", definition_names("envs"))
def test_every_damage_and_every_other_shift_of_a_body_can_come_and_go(name: str):
    life = newborn(name)
    kinds = set(life.world.definition["shifts"])
    legs = {leg for leg, _, _ in life.leg_shifts()}
    assert legs == (set(life.world.legs) if "limb_damage" in kinds else set())
    others = [shift for _, shift in life.other_shifts()]
    sideways = {"push"} if name == "half_cheetah" else set()  # as pushes are, and it cannot move so
    assert {shift.kind for shift in others} == kinds - {"limb_damage"} - sideways
    for shift in (*others, *(shift for _, _, shift in life.leg_shifts())):
        life.restart(0)
        life.begin(shift)
        life.step()
        assert shift in life.env.schedule.shifts_of(0)
        life.end(shift)
        life.step()
        assert life.active == ()


def test_the_page_is_for_this_machine_alone(life: WatchedLife):
    with WatchPage(life) as page:
        assert page.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(page.url) as answer:
            assert b"<html" in answer.read().lower()
        port = int(page.url.rsplit(":", 1)[1])
        listening = Path("/proc/net/tcp")
        if listening.exists():
            rows = [line.split()[1] for line in listening.read_text().splitlines()[1:]]
            hosts = {row.split(":")[0] for row in rows if int(row.split(":")[1], 16) == port}
            assert hosts == {"0100007F"}  # 127.0.0.1


def test_orders_are_done_between_two_control_steps(life: WatchedLife):
    with WatchPage(life) as page:
        page._orders.put(lambda: life.begin(damage(life, "rear_left", "dead")))
        page._orders.put(page._toggle_pause)
        seen = []

        def has_seen_enough() -> bool:
            seen.append(life.steps)
            return len(seen) > 3

        page.run(has_seen_enough)
        assert page.paused
        assert seen[-1] == 0  # time stands still
        assert "rear left leg dead" in page._status.content
        assert "paused" in page._status.content
        assert "rear left leg dead begins" in page._log.content


# ---- in a browser


@pytest.fixture
def shown(life: WatchedLife) -> Iterator[WatchPage]:
    """A page whose life goes on in a thread of its own."""
    over = threading.Event()
    with WatchPage(life) as page:
        thread = threading.Thread(target=page.run, args=(over.is_set,))
        thread.start()
        yield page
        over.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt install chromium")
def test_a_press_in_the_browser_kills_a_leg_and_the_speed_falls(shown: WatchPage):
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    life = shown.life

    def status_is(condition: str) -> str:
        """JavaScript: whether the status' text fulfils a condition on `text` and `speed`."""
        return (
            "() => { const text = document.querySelector('#robolearn-status')?.innerText || '';"
            "const speed = parseFloat((text.match(/(-?[0-9.]+) m\\/s/) || [])[1]);"
            f"return {condition}; }}"
        )

    with sync_api.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=BROWSER_ARGUMENTS)
        view = browser.new_page(viewport={"width": 1280, "height": 900})
        view.set_default_timeout(PATIENCE_MS)
        view.goto(shown.url)
        view.wait_for_function(status_is("speed > 0.45"))

        legs = view.get_by_role("button", name="dead")
        assert legs.count() == 4
        legs.first.click()
        view.wait_for_function(status_is("text.includes('front left leg dead')"))
        motors = life.world.legs["front_left"].motors
        assert damage(life, "front_left", "dead") in life.env.schedule.shifts_of(0)
        assert (motor_gains(life)[motors] == 0).all()
        assert "front left leg dead begins" in [words for _, words in life.log]
        view.wait_for_function(status_is("speed < 0.2"))
        at, value, changed = shown._chart.data
        before = value[(changed == 0) & (at > 1)]
        assert value[-1] < 0.5 * before.mean()

        view.get_by_role("button", name="New life").click()
        view.wait_for_function(status_is("!text.includes('leg dead') && speed > 0.45"))
        view.get_by_text("Body, world and senses").click()
        view.get_by_label("gravity 0.5").check()
        view.wait_for_function(status_is("text.includes('gravity 0.5')"))
        view.get_by_label("gravity 0.5").uncheck()
        view.wait_for_function(status_is("!text.includes('gravity')"))

        # A walker that fell under the weak gravity has ended, and cannot be paused.
        view.get_by_role("button", name="New life").click()
        view.wait_for_function(status_is("text.includes('running') && speed > 0.45"))
        view.get_by_role("button", name="Pause").click()
        view.wait_for_function(status_is("text.includes('paused')"))
        steps = life.steps
        text = view.locator("#robolearn-status").inner_text()
        assert life.steps == steps
        view.get_by_role("button", name="Go on").click()
        view.wait_for_function(status_is(f"text.includes('running') && text != {text!r}"))
        assert life.steps > steps
        browser.close()
    assert not shown.paused
