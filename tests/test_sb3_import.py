"""A policy of stable-baselines3 becomes an agent that acts alike; unpickled once, if trusted."""

import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

import robolearn
from robolearn import cli, training
from robolearn.envs.vector_env import RobotVectorEnv
from robolearn.errors import UserError
from robolearn.learning.sb3_vec_env import SB3VecEnv
from robolearn.tracking.run import RunFolder
from robolearn.zoo import load_trained
from robolearn.zoo.sb3_import import import_sb3

ENV = "robolearn/Quadruped-v0"
COMMAND = ["robolearn", "import"]
POLICIES: dict[str, Any] = {
    "ppo": lambda venv, **k: PPO("MlpPolicy", venv, n_steps=16, batch_size=32, **k),
    "recurrent_ppo": lambda venv, **k: RecurrentPPO(
        "MlpLstmPolicy", venv, n_steps=16, batch_size=32, **k
    ),
    "sac": lambda venv, **k: SAC("MlpPolicy", venv, buffer_size=500, learning_starts=20, **k),
    "td3": lambda venv, **k: TD3("MlpPolicy", venv, buffer_size=500, learning_starts=20, **k),
}
NETWORKS: dict[str, dict[str, Any]] = {
    "ppo": {"net_arch": {"pi": [24, 16], "vf": [8]}, "log_std_init": -1.0},
    "recurrent_ppo": {"net_arch": {"pi": [], "vf": [8]}, "lstm_hidden_size": 12},
    "sac": {"net_arch": [24], "activation_fn": nn.Tanh},
    "td3": {"net_arch": {"pi": [32, 16], "qf": [8]}},
}


def venv() -> SB3VecEnv:
    return SB3VecEnv(
        RobotVectorEnv("quadruped", 2, max_episode_steps=20, autoreset_mode="SameStep")
    )


def trained_elsewhere(
    kind: str, folder: Path, normalised: bool, networks: Any = None, **options: Any
) -> Any:
    """Train a native policy for some steps and save its files; returns (policy, normaliser)."""
    layers = {**NETWORKS[kind], **(networks or {})}
    envs: Any = venv()
    if normalised:
        envs = VecNormalize(envs, clip_obs=5.0)
    policy = POLICIES[kind](envs, policy_kwargs=layers, seed=0, **options)
    policy.learn(64)
    policy.save(folder / "walker.zip")
    if normalised:
        envs.save(str(folder / "normaliser.pkl"))
    return policy, envs if normalised else None


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("kind", sorted(POLICIES))
def test_the_imported_agent_acts_as_the_policy_in_a_life(
    kind: str, normalised: bool, tmp_path: Path
):
    policy, normaliser = trained_elsewhere(kind, tmp_path, normalised)
    file = tmp_path / "normaliser.pkl" if normalised else None
    run = tmp_path / "run"
    import_sb3(kind, tmp_path / "walker.zip", ENV, run, COMMAND, normaliser=file, trust=True)
    agent = robolearn.load(run)
    envs = RobotVectorEnv("quadruped", 8, max_episode_steps=100, autoreset_mode="Disabled")
    observation, _ = envs.reset(seed=3)
    agent.reset(n=8)
    memory, births, reward = None, np.ones(8, np.bool_), np.zeros(8)
    for _ in range(40):
        seen = observation if normaliser is None else normaliser.normalize_obs(observation)
        expected, memory = policy.predict(
            np.asarray(seen), state=memory, episode_start=births, deterministic=True
        )
        action = agent(observation, reward)
        np.testing.assert_allclose(action, expected, atol=1e-5)
        births = np.zeros(8, np.bool_)
        observation, reward, *_ = envs.step(expected)


class Malice:
    """A pickle that leaves a file behind."""

    def __init__(self, harm: Path):
        self.harm = harm

    def __reduce__(self) -> Any:
        return (Path.touch, (self.harm,))


@pytest.fixture
def malicious(tmp_path: Path) -> Path:
    """A real policy whose .zip, when unpickled, makes the file `harm` beside it."""
    policy, _ = trained_elsewhere("ppo", tmp_path, normalised=False)
    policy.note = Malice(tmp_path / "harm")
    policy.save(tmp_path / "walker.zip")
    return tmp_path / "walker.zip"


def test_nothing_is_unpickled_without_trust(
    malicious: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    harm, run = malicious.parent / "harm", malicious.parent / "run"
    command = [
        "robolearn",
        "import",
        str(malicious),
        "--as",
        "ppo",
        "--env",
        ENV,
        "--out",
        str(run),
    ]
    monkeypatch.setattr("warnings.showwarning", None)
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr().err
    assert end.value.code == 2
    assert "importing unpickles, which runs whatever code is inside: add --trust" in told
    assert told.count("\n") == 1
    assert not run.exists()
    assert not harm.exists()
    monkeypatch.setattr(sys, "argv", [*command, "--trust"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0
    assert harm.exists()  # the file is as malicious as the test says
    assert run.is_dir()


def test_a_taken_folder_is_refused_before_anything_is_unpickled(malicious: Path):
    run, harm = malicious.parent / "run", malicious.parent / "harm"
    run.mkdir()
    (run / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"run is not empty .*use a free name such as .*run-2"):
        import_sb3("ppo", malicious, ENV, run, COMMAND, trust=True)
    assert not harm.exists()


def test_what_was_imported_is_a_finished_run_without_a_pickle(malicious: Path):
    run, harm = malicious.parent / "run", malicious.parent / "harm"
    import_sb3("ppo", malicious, ENV, run, COMMAND, trust=True)
    harm.unlink()
    files = [path for path in run.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".lock", ".safetensors", ".yaml"}
    opened = RunFolder.open(run)
    assert opened.status == "finished"
    assert opened.config["learning"]["total_steps"] == 64
    assert training.resume(run, COMMAND) is False
    assert load_trained(run).agent.kind == "policy"
    assert not harm.exists()


@pytest.mark.parametrize(
    ("out", "name"), [("my walker@1", "my-walker-1"), ("best_one", "best_one"), ("?", "a-walker")]
)
def test_an_imported_recipe_has_the_folders_name_without_what_names_lack(
    out: str, name: str, tmp_path: Path
):
    trained_elsewhere("ppo", tmp_path, normalised=False)
    file = (tmp_path / "walker.zip").rename(tmp_path / "a walker.zip")
    import_sb3("ppo", file, ENV, tmp_path / out, COMMAND, trust=True)
    assert RunFolder.open(tmp_path / out).config["name"] == name


@pytest.mark.parametrize("name", ["config.yaml", "weights.safetensors"])
def test_a_zip_in_place_of_an_agents_file_is_refused_and_never_run(malicious: Path, name: str):
    run, harm = malicious.parent / "run", malicious.parent / "harm"
    import_sb3("ppo", malicious, ENV, run, COMMAND, trust=True)
    harm.unlink()
    (run / name).write_bytes(malicious.read_bytes())
    with pytest.raises(UserError, match=name):
        robolearn.load(run)
    with pytest.raises(UserError):
        robolearn.load(malicious)
    assert not harm.exists()


def test_no_other_module_can_unpickle():
    package = Path(robolearn.__file__).parent
    words = ("import pickle", "load_from_pkl", ".load(file", "torch.load", "cloudpickle")
    found = {
        path.name
        for path in package.rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in words)
    }
    assert found == {"sb3_import.py"}


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("ppo", {"networks": {"activation_fn": nn.ELU}}, "the actor has a part ELU"),
        ("sac", {"use_sde": True}, "the actor has a part Hardtanh"),
        (
            "recurrent_ppo",
            {"networks": {"n_lstm_layers": 2}},
            r"its memory is LSTM\(.*num_layers=2",
        ),
    ],
)
def test_networks_that_no_brain_has_are_refused(
    kind: str, options: dict[str, Any], message: str, tmp_path: Path
):
    trained_elsewhere(kind, tmp_path, normalised=False, **options)
    with pytest.raises(UserError, match=rf"walker.zip: {message}"):
        import_sb3(kind, tmp_path / "walker.zip", ENV, tmp_path / "run", COMMAND, trust=True)
    assert not (tmp_path / "run").exists()


def test_mistakes_are_told_in_one_line(tmp_path: Path):
    trained_elsewhere("ppo", tmp_path, normalised=True)
    file, other = tmp_path / "walker.zip", tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("data", "nothing")
    pickled = tmp_path / "list.pkl"
    pickled.write_bytes(pickle.dumps([1]))
    for arguments, message in (
        (("ppo2", file, ENV), "unknown algorithm 'ppo2'; did you mean 'ppo'"),
        (("ppo", tmp_path / "no.zip", ENV), r"no.zip: no such file"),
        (("ppo", other, "robolearn/Quadruped"), "^unknown env 'robolearn/Quadruped'; did you mean"),
        (("ppo", other, ENV), "other.zip: stable-baselines3 cannot load it as PPO"),
        (("sac", file, ENV), "walker.zip: stable-baselines3 cannot load it as SAC"),
        (("ppo", file, "robolearn/Reach-v0"), r"its observations have shape \(\d+,\), expected"),
        (("ppo", file, ENV, pickled), "list.pkl holds a list, expected a VecNormalize"),
    ):
        kind, source, env, *normaliser = arguments
        with pytest.raises(UserError, match=message) as error:
            import_sb3(
                str(kind), Path(source), str(env), tmp_path / "run", COMMAND,
                normaliser=Path(normaliser[0]) if normaliser else None, trust=True,
            )  # fmt: skip
        assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
