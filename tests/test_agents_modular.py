"""A brain of one module a leg: what a leg senses and does, mirrored, and what stays its own."""

import dataclasses

import numpy as np
import pytest

from robolearn.adaptation.cost import graded_operations_per_s
from robolearn.adaptation.protocol_run import alike_legs
from robolearn.agents.modular import Modular
from robolearn.agents.module_layout import Layout
from robolearn.agents.protocol import Feedback, spikes_of
from robolearn.agents.registry import make_agent
from robolearn.comparing import evaluate_trained, protocol_of
from robolearn.config import parse_config
from robolearn.envs.body_modules import body_modules
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.lifetime import live
from robolearn.mirroring import keep_evaluation
from robolearn.training import train
from robolearn.zoo import build_agent, load_trained, make_env

RECIPE = {
    "name": "tiny",
    "env": {"id": "robolearn/Quadruped-v0", "life_s": 0.4},
    "agent": {"kind": "spiking", "modules": "legs", "hidden": 4},
    "learning": {"kind": "openai_es", "population": 4, "generations": 2},
    "tracking": {"wandb": "off"},
}


def recipe(**env):
    return parse_config({**RECIPE, "env": {**RECIPE["env"], **env}}, "tiny")


@pytest.fixture(name="body", params=["quadruped", "hexapod", "hexapod with all senses"])
def _body(request):
    name, *more = request.param.split(" with ")
    return RobotVectorEnv(
        name, 2, max_episode_steps=20, sense_action=bool(more), sense_heading=bool(more)
    )


def modular(env, kind="mlp", division="legs", **hyper):
    task = env.task
    layout = Layout(**task.modules(division))
    return make_agent(
        kind, task.observation_size, task.action_size, task.observation_scale, modules=layout,
        **hyper,
    )  # fmt: skip


def mirror_of(env):
    """Return (sources, signs) of observation and of action under a mirror from left to right.

    Worked from the names of the parts, not from the layout under test.
    """

    def other(name):
        here, there = ("left", "right") if "left" in name else ("right", "left")
        return name.replace(here, there)

    sources: list[int] = []
    signs: list[float] = []
    start = 0
    model = env.task.simulation.model
    direction, rotation = [1, -1, 1], [-1, 1, -1]

    def turns(name):
        """Return how the joint `name` and its mirror image agree in sense."""
        return np.sign(model.joint(name).axis * rotation @ model.joint(other(name)).axis)

    for part in env.task.observation_slices:
        if part.name in ("up", "velocity", "angular_velocity"):
            sources += range(start, start + 3)
            signs += rotation if part.name == "angular_velocity" else direction
        elif part.name == "heading":
            sources += range(start, start + 2)
            signs += [-1, 1]  # to the left becomes to the right
        elif part.name == "clock":
            sources += range(start, start + 2)
            signs += [-1, -1]  # the other side steps half a cycle later
        else:
            names = list(part.sources)
            sources += [start + names.index(other(name)) for name in names]
            angles = part.name != "contact"
            signs += [turns(name) if angles else 1 for name in names]
        start += part.size
    joints = [model.joint(int(model.actuator_trnid[i, 0])).name for i in range(model.nu)]
    motors = [joints.index(other(name)) for name in joints]
    return sources, signs, motors, [turns(name) for name in joints]


@pytest.mark.parametrize("division", ["legs", "sides"])
def test_mirroring_what_is_sensed_mirrors_what_is_done(body, division):
    """The claim of one genome for two sides, with layouts worked out in another way."""
    agent = modular(body, division=division, hidden=[6])
    rng = np.random.default_rng(0)
    genomes = np.repeat(agent.genome.initial(rng)[None] * 3, 2, axis=0)
    sources, signs, motors, motor_signs = mirror_of(body)
    seen = rng.standard_normal(body.task.observation_size).astype(np.float32)
    both = np.stack([seen, seen[sources] * np.array(signs, np.float32)])
    state = agent.new_state(2)
    parameters = agent.express(genomes)
    streams = [np.random.default_rng(i) for i in range(2)]
    agent.reset(parameters, state, np.arange(2), streams)
    action = agent.act(parameters, state, both, Feedback.first(2))
    assert np.abs(action[0]).min() > 0
    np.testing.assert_allclose(action[1], action[0][motors] * motor_signs, atol=1e-6)


@pytest.mark.parametrize("division", ["legs", "sides"])
@pytest.mark.parametrize("name", ["ant", "quadruped", "hexapod"])
def test_a_mirrored_life_feels_and_moves_mirrored(name, division):
    """In the physics itself: the left of one body feels what the right of its mirror image does."""
    env = RobotVectorEnv(name, 2, max_episode_steps=20, clock_hz=1.0)
    task = env.task
    layout = Layout(**task.modules(division))
    world, simulation = task.simulation.world, task.simulation
    xpos = simulation.read("xpos")
    env.reset(seed=0)
    home, at_rest = np.repeat(world.home_qpos[None], 2, axis=0), np.zeros((2, world.model.nv))
    simulation.reset(np.arange(2), home, at_rest)
    places = xpos[0, [leg.bodies[0] for leg in world.legs.values()]]
    mirrored_places = places * [1, -1, 1]
    across = [1, 0] if division == "sides" else [
        int(np.argmin(np.linalg.norm(places - place, axis=1))) for place in mirrored_places
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    for _ in range(6):
        command = rng.uniform(-0.3, 0.3, layout.outputs.shape)
        action = np.zeros((2, task.action_size))
        for module, other in enumerate(across):
            action[0, layout.outputs[module]] = command[module] * layout.output_signs[module]
            action[1, layout.outputs[other]] = command[module] * layout.output_signs[other]
        seen = np.append(env.step(action)[0], np.ones((2, 1)), axis=1)
    felt = seen[:, layout.inputs] * layout.input_signs  # (2, L, m)
    clock = task.interface.slices["clock"]
    for module, other in enumerate(across):
        timeless = ~np.isin(layout.inputs[module], range(clock.start, clock.stop))
        mine, mirrored = felt[0, module, timeless], felt[1, other, timeless]
        np.testing.assert_allclose(mine, mirrored, atol=2e-3)
    assert np.abs(felt[0] - felt[1]).max() > 0.1


def test_a_genome_fits_a_body_with_more_legs():
    bodies = [RobotVectorEnv(name, 1, max_episode_steps=5) for name in ("quadruped", "hexapod")]
    four, six = (modular(body, "spiking") for body in bodies)
    assert (four.copies, six.copies) == (4, 6)
    assert four.genome == six.genome
    whole = make_agent("spiking", bodies[0].task.observation_size, 12)
    assert four.genome.size < whole.genome.size


def test_a_leg_senses_and_drives_its_own_joints_and_foot(body):
    layout, legs = modular(body).layout, list(body.task.simulation.world.legs)
    sources = [
        name
        for part in body.task.observation_slices
        for name in (part.sources if len(part.sources) == part.size else part.sources * part.size)
    ]
    model = body.task.simulation.model
    joints = [model.joint(int(model.actuator_trnid[i, 0])).name for i in range(model.nu)]
    for leg, inputs, outputs in zip(legs, layout.inputs, layout.outputs, strict=True):
        own = [sources[k] for k in inputs[9:16]]  # after the trunk: angles, velocities, foot
        assert own[:3] == own[3:6] == [joints[k] for k in outputs]
        assert all(name.startswith(leg) for name in own)
        assert own[6] == f"{leg}_foot"


def test_a_side_senses_everything_and_drives_its_own_legs(body):
    layout = modular(body, division="sides").layout
    assert [sorted(inputs) for inputs in layout.inputs] == [
        list(range(body.task.observation_size))
    ] * 2
    model = body.task.simulation.model
    for side, outputs in zip(("left", "right"), layout.outputs, strict=True):
        driven = [model.joint(int(model.actuator_trnid[i, 0])).name for i in outputs]
        assert all(side in name for name in driven)


@pytest.mark.parametrize("division", ["legs", "sides"])
def test_a_body_with_more_legs_on_one_side_is_refused(body, division):
    world = body.task.simulation.world
    legs = {name: leg for name, leg in world.legs.items() if name != "rear_right"}
    lame = dataclasses.replace(world, legs=legs)
    with pytest.raises(UserError, match=r"\d legs on the left, \d on the right"):
        body_modules(lame, body.task.observation_slices, division)


@pytest.mark.parametrize("division", ["legs", "sides"])
def test_every_motor_has_one_driver(body, division):
    layout = modular(body, division=division).layout
    driven = layout.outputs.ravel()
    assert sorted(driven) == list(range(body.task.action_size))


def test_the_same_weights_drive_every_leg_or_a_leg_and_its_mirror_image():
    env = RobotVectorEnv("hexapod", 1, max_episode_steps=5)
    world = env.task.simulation.world
    everywhere = alike_legs(modular(env), world)["front_left"]
    assert sorted(["front_left", *everywhere]) == sorted(world.legs)
    across = alike_legs(modular(env, division="sides"), world)
    assert across["middle_left"] == ["middle_right"]
    assert across["rear_right"] == ["rear_left"]
    assert alike_legs(make_agent("mlp", 3, 2), world) == {}


def test_what_a_leg_learns_it_learns_for_itself():
    """Only the first leg's own joints move: its weights change apart from those of the others."""
    env = RobotVectorEnv("quadruped", 1, max_episode_steps=5)
    agent = modular(env, "spiking", hidden=8)
    rng = np.random.default_rng(1)
    parameters = agent.express(
        agent.genome.initial(rng)[None] + rng.standard_normal(agent.genome.size)
    )
    state = agent.new_state(1)
    agent.reset(parameters, state, np.arange(1), [rng])
    born = state.hidden_weight.copy()
    seen = np.zeros((1, env.task.observation_size), np.float32)
    seen[0, agent.layout.inputs[0, 9:15]] = 1.0  # joints of the first leg
    for _ in range(20):
        agent.act(parameters, state, seen, Feedback.first(1))
    change = np.abs(state.hidden_weight - born).max(axis=(1, 2))
    own = np.abs(state.hidden_weight - born)[:, :, 9:15].max(axis=(1, 2))
    assert (change > 0).all()
    assert own[0] > 0
    assert (own[1:] < own[0]).all()


def test_an_individual_does_not_depend_on_its_company():
    config = recipe()
    env = make_env(config, 3)
    agent = build_agent(config, env)
    rng = np.random.default_rng(2)
    genomes = rng.standard_normal((3, agent.genome.size)).astype(np.float32)
    together = live(env, agent, agent.express(genomes), [5, 6, 7])
    alone = make_env(config, 1)
    single = live(alone, build_agent(config, alone), agent.express(genomes[1:2]), [6])
    assert single.total_reward[0] == together.total_reward[1]


def test_a_silenced_individual_keeps_its_bits():
    config = recipe()
    env = make_env(config, 2)
    agent = build_agent(config, env)
    parameters = agent.express(np.ones((2, agent.genome.size), np.float32))
    state = agent.new_state(2)
    agent.reset(parameters, state, np.arange(2), [np.random.default_rng(i) for i in range(2)])
    feedback = Feedback.first(2)
    feedback.alive[0] = False
    before = state.readout_trace.copy()
    action = agent.act(
        parameters, state, np.ones((2, env.task.observation_size), np.float32), feedback
    )
    assert not action[0].any()
    np.testing.assert_array_equal(state.readout_trace[:4], before[:4])
    assert (state.readout_trace[4:] != before[4:]).any()


def test_spikes_are_those_of_all_modules():
    env = RobotVectorEnv("quadruped", 2, max_episode_steps=5)
    agent = modular(env, "spiking")
    state = agent.new_state(2)
    state.readout_trace[:4] = 1.0
    per_module = agent.module.spikes(state)
    for ours, of_legs in zip(agent.spikes(state), per_module, strict=True):
        np.testing.assert_allclose(ours, [4 * of_legs[0], 4 * of_legs[-1]])
    assert agent.spikes(state).per_s[0] > agent.spikes(state).per_s[1] == 0
    static = modular(env, "mlp")
    assert spikes_of(static, static.new_state(2)) is None


def test_the_synapses_of_all_modules_cost():
    agent = modular(RobotVectorEnv("quadruped", 1, max_episode_steps=5), "mlp", hidden=[6])
    senses = 9 + 7 + 5 * 4 + 2 + 1  # trunk, own joints and foot, those of neighbours, clock, place
    by_hand = 4 * (senses * 6 + 6 * 3) / 0.02
    assert graded_operations_per_s(agent, 0.02) == pytest.approx(by_hand)


def test_a_trained_one_is_rebuilt_from_its_files(tmp_path):
    config = recipe()
    train(config, tmp_path / "run", ["test"])
    trained = load_trained(tmp_path / "run")
    env = make_env(config, 1)
    assert isinstance(trained.agent, Modular)
    ours, theirs = build_agent(config, env).layout, trained.agent.layout
    for name, value in vars(ours).items():
        np.testing.assert_array_equal(getattr(theirs, name), value)


def test_a_trained_one_moves_into_a_body_with_more_legs(tmp_path):
    train(recipe(shifts=["limb_damage:front_left:dead@0.2s"]), tmp_path / "run", ["test"])
    moved = load_trained(f"{tmp_path / 'run'}@robolearn/Hexapod-v0")
    assert (moved.env_name, moved.agent.action_size) == ("hexapod", 18)
    assert moved.trained_on == ()
    np.testing.assert_array_equal(moved.genome, load_trained(tmp_path / "run").genome)
    env = make_env(moved.config, 1)
    assert live(env, moved.agent, moved.agent.express(moved.genome[None]), [1]).steps[0] > 1
    protocol = protocol_of("hexapod", None, 1, ["limb_damage:front_left:dead"])
    keep_evaluation(moved, evaluate_trained(moved, protocol, 0, None, None, None))
    assert not (tmp_path / "run" / "evaluation.json").exists()  # that page is its own body's


def test_one_that_moves_takes_its_senses_and_its_task_along(tmp_path):
    parameters = {"sense_heading": True, "sense_action": True, "target_speed": 0.3}
    config = recipe(parameters=parameters, rewards={"speed": 2.0})
    train(config, tmp_path / "run", ["test"])
    moved = load_trained(f"{tmp_path / 'run'}@robolearn/Hexapod-v0")
    assert moved.config.env.parameters == config.env.parameters
    assert moved.config.env.rewards == config.env.rewards
    home = load_trained(f"{tmp_path / 'run'}@robolearn/Quadruped-v0")
    assert home.env_options == load_trained(tmp_path / "run").env_options


def test_a_brain_of_one_piece_does_not_move(tmp_path):
    whole = parse_config({**RECIPE, "agent": {"kind": "mlp", "hidden": [3]}}, "tiny")
    train(whole, tmp_path / "run", ["test"])
    with pytest.raises(UserError, match=r"@robolearn/Hexapod-v0: a genome of 168 .*a leg fit"):
        load_trained(f"{tmp_path / 'run'}@robolearn/Hexapod-v0")


def test_an_unknown_body_is_told(tmp_path):
    train(recipe(), tmp_path / "run", ["test"])
    with pytest.raises(UserError, match=r"Hexpod-v0.*did you mean 'robolearn/Hexapod-v0'"):
        load_trained(f"{tmp_path / 'run'}@robolearn/Hexpod-v0")


def test_deep_rl_refuses_modules():
    content = {**RECIPE, "agent": {"kind": "policy", "modules": "legs"}}
    with pytest.raises(UserError, match=r"agent.modules = 'legs': ppo trains one brain"):
        parse_config({**content, "learning": {"kind": "ppo"}}, "tiny")


def test_a_body_without_legs_is_refused():
    config = parse_config(
        {**RECIPE, "env": {"id": "robolearn/TMaze-v0"}, "agent": RECIPE["agent"]}, "tiny"
    )
    with pytest.raises(UserError, match=r"agent.modules = 'legs'.*tmaze is no body.*legs"):
        build_agent(config, make_env(config, 1))


def test_a_misspelt_division_is_told():
    with pytest.raises(UserError, match=r"agent.modules = 'leg'.*did you mean 'legs'"):
        parse_config({**RECIPE, "agent": {"kind": "spiking", "modules": "leg"}}, "tiny")
