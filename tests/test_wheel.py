"""The wheel carries the definition layer and works from anywhere, without the checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=CHECKOUT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel alone was installed."""
    site = tmp_path_factory.mktemp("site")
    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target")
    _run(*pip, str(site), str(wheel), cwd=site)
    return site


def test_its_only_top_level_name_is_robolearn(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"robolearn"}
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_it_carries_every_definition_and_no_python_among_them(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for pattern in (
        "envs/*/env.yaml",
        "agents/*/agent.yaml",
        "agents/*/trained/*/config.yaml",
        "agents/*/trained/*/weights.safetensors",
        "configs/*.yaml",
        "configs/protocols/*.yaml",
    ):
        files = [path.relative_to(CHECKOUT) for path in CHECKOUT.glob(pattern)]
        assert files
        assert {f"robolearn/_data/{file}" for file in files} <= names
    assert {f"robolearn/report/page.{kind}" for kind in ("html", "css", "js")} <= names
    assert "robolearn/_data/envs/quadruped/scene.xml" in names
    assert "robolearn/py.typed" in names
    assert not [name for name in names if "/_data/" in name and name.endswith(".py")]


def test_its_envs_are_made_from_another_folder(site: Path, tmp_path: Path) -> None:
    code = (
        "import gymnasium, robolearn\n"
        f"assert robolearn.__file__.startswith({str(site)!r}), robolearn.__file__\n"
        "for name in ('robolearn/Quadruped-v0', 'robolearn:robolearn/Ant-v0'):\n"
        "    env = gymnasium.make(name)\n"
        "    env.reset(seed=0)\n"
        "    assert len(env.step(env.action_space.sample())) == 5\n"
    )
    _run("-c", code, cwd=tmp_path, site=site)


def test_it_lists_trains_and_loads_from_another_folder(site: Path, tmp_path: Path) -> None:
    main = "from robolearn.cli import main; main()"
    names = json.loads(_run("-c", main, "list", "--json", cwd=tmp_path, site=site))
    assert {"robolearn/Quadruped-v0", "robolearn/Ant-v0"} <= {e["name"] for e in names["envs"]}
    assert "quickstart" in {entry["name"] for entry in names["configs"]}
    tiny = ("learning.population=4", "learning.generations=1", "learning.validation_lives=1")
    small = ("agent.hidden=4", "env.life_s=0.2", "env.shifts=[]", "tracking.wandb=off")
    train = ("train", "quickstart", "--out", "run", *tiny, *small)
    assert _run("-c", main, *train, cwd=tmp_path, site=site) == "run\n"
    load = "import robolearn; print(robolearn.load('run').env_id)"
    assert _run("-c", load, cwd=tmp_path, site=site) == "robolearn/Quadruped-v0\n"


def test_without_the_folder_of_an_env_there_is_no_such_env(site: Path, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    shutil.rmtree(broken / "robolearn" / "_data" / "envs" / "quadruped")
    code = (
        "import gymnasium, robolearn\n"
        "print(*(name for name in gymnasium.registry if name.startswith('robolearn/')))"
    )
    folders = broken / "robolearn" / "_data" / "envs"
    left = [yaml.safe_load(file.read_text())["id"] for file in folders.glob("*/env.yaml")]
    assert "robolearn/Ant-v0" in left
    assert "robolearn/Quadruped-v0" not in left
    assert sorted(_run("-c", code, cwd=tmp_path, site=broken).split()) == sorted(left)


def _run(*arguments: str, cwd: Path, site: Path | None = None) -> str:
    environment: dict[str, Any] = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if site is not None:
        environment["PYTHONPATH"] = str(site)
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
