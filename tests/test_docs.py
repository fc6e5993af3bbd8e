"""The documentation is whole, and what the tutorial says can be done as it says it."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from robolearn.agents.registry import kinds
from robolearn.definitions import definition_names
from robolearn.listing import list_names

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]+)")  # without the anchor
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"}
# What makes a training of minutes one of seconds, and a film of ten seconds one of one.
SMALL = {
    "train": [
        "learning.generations=1", "learning.population=8", "learning.validation_lives=2",
        "env.life_s=0.5", "tracking.wandb=off",
    ],
    "evaluate": ["--episodes", "1"],
    "compare": ["--episodes", "1", "--no-cache"],
    "record": [],
    "list": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pages(build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(build, "PAGES", tmp_path)
    build.write_pages()
    return tmp_path


def blocks(language: str) -> list[tuple[str | None, str]]:
    """The (title, content) of the tutorial's blocks in one language, in order."""
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    return [(title or None, code) for kind, title, code in BLOCK.findall(text) if kind == language]


def run(arguments: list[str], folder: Path) -> str:
    answer = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_everything_that_can_be_named_has_its_place(pages: Path):
    for name in definition_names("envs"):
        assert (pages / "envs" / f"{name}.md").is_file()
        assert (pages / "envs" / f"{name}.png").is_file()
    for kind in kinds():
        assert f"]({kind}.md)" in (pages / "agents" / "index.md").read_text()
    for what in ("shifts", "learners"):
        text = (pages / f"{what}.md").read_text()
        for entry in list_names(what)[what]:
            assert f"\n## {entry['name']}\n" in text
            for parameter, about in entry["parameters"].items():
                assert about["meaning"], f"{entry['name']}: {parameter} has no meaning"
                assert f"| `{parameter}` |" in text
    for module in (ROOT / "robolearn" / "plasticity").glob("[!_]*.py"):
        assert (
            f"::: robolearn.plasticity.{module.stem}"
            in (pages / "rules" / f"{module.stem}.md").read_text()
        )
    verbs = (pages / "command-line.md").read_text()
    for verb in ("list", "train", "evaluate", "record", "watch", "bench"):
        assert f"\n## {verb}\n" in verbs
    for entry in list_names("protocols")["protocols"]:
        assert f"\n## {entry['name']}\n" in (pages / "protocols.md").read_text()


def test_every_page_is_in_the_navigation(build: ModuleType, pages: Path):
    def leaves(entry: object) -> set[str]:
        if isinstance(entry, str):
            return {entry}
        inner = entry.values() if isinstance(entry, dict) else entry
        return set().union(*map(leaves, inner))  # type: ignore[arg-type]

    written = {str(path.relative_to(pages)) for path in pages.rglob("*.md")}
    assert leaves(build.write_pages()) == written


def test_no_relative_link_of_a_page_points_nowhere(pages: Path):
    found = 0
    for page in pages.rglob("*.md"):
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" not in target:
                found += 1
                assert (page.parent / target).is_file(), f"{page.name} links to {target}"
                assert (page.parent / target).resolve().is_relative_to(pages), target
    assert found > 100
    assert (pages / "benchmarks" / "ray_scaling.json").is_file()


def test_the_python_of_the_tutorial_runs(tmp_path: Path):
    first, *rest = blocks("python")
    assert re.fullmatch(
        r"0\.\d\d m/s before, -?0\.\d\d m/s after\n", run(["-c", first[1]], tmp_path)
    )
    for title, code in rest:
        if title is not None:
            (tmp_path / title).write_text(code)
        else:
            run(["-c", code], tmp_path)
    assert (tmp_path / "homing.py").is_file()


@pytest.mark.parametrize("choice", ["agent.hidden=0", "agent.hidden=-3", "agent.home_s=0"])
def test_the_brain_of_the_tutorial_refuses_what_cannot_be(choice: str, tmp_path: Path):
    ((title, code),) = [(title, code) for title, code in blocks("python") if title is not None]
    (tmp_path / str(title)).write_text(code)
    words = ["train", "quickstart", "--with", "homing.py", "agent.kind=homing", choice]
    answer = subprocess.run(
        [sys.executable, "-c", "from robolearn.cli import main; main()", *words, "--out", "run"],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    key, value = choice.split("=")
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: quickstart: {key} = {value}: the value should be ")
    assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_commands_of_the_tutorial_run_in_their_order(tmp_path: Path):
    for title, code in blocks("python"):
        if title is not None:
            (tmp_path / title).write_text(code)
    lines = [line for _, code in blocks("sh") for line in code.splitlines()]
    verbs = []
    for line in lines:
        program, *words = shlex.split(line)
        if program != "robolearn" or words[0] == "watch":
            continue
        verbs.append(words[0])
        words = [word.replace("@5s", "@0.2s").replace("@2s..5s", "@0.1s..0.4s") for word in words]
        if "--seconds" in words:
            words[words.index("--seconds") + 1] = "0.4"
        said = run(
            ["-c", "from robolearn.cli import main; main()", *words, *SMALL[words[0]]], tmp_path
        )
        if words[0] == "evaluate":
            assert "homing in quadruped" in said
            assert "front_left" in said
        if words[0] == "compare":
            assert all(name in said for name in ("homing", "homing-static", "spiking/"))
    assert verbs.count("train") >= 2
    assert verbs.count("evaluate") >= 2
    assert (tmp_path / "homing.npz").is_file()
    assert (tmp_path / "homing.png").is_file()


@pytest.mark.slow
def test_the_site_builds_without_a_warning(build: ModuleType):
    pytest.importorskip("mkdocs", reason="pip install -e '.[docs]'")
    pytest.importorskip("material", reason="pip install -e '.[docs]'")
    pytest.importorskip("mkdocstrings_handlers.python", reason="pip install -e '.[docs]'")
    run([str(ROOT / "docs" / "build.py")], ROOT)
    assert "perturbation_factor" in (
        build.SITE / "rules" / "node_perturbation" / "index.html"
    ).read_text(encoding="utf-8")
