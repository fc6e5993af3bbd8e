"""Builds the documentation site: what is written here, and what the definitions and docstrings say.

python docs/build.py              # build/site/index.html; any warning is an error
python docs/build.py --pages      # the Markdown pages alone, in build/docs/pages
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from robolearn.cli import app
from robolearn.definitions import data_folder, definition_names
from robolearn.listing import list_names

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BUILD = ROOT / "build" / "docs"
PAGES = BUILD / "pages"
SITE = ROOT / "build" / "site"

# The parts of the library that people call, by title of their page: module paths.
API = {
    "Trained agents": ["robolearn.zoo.policy", "robolearn.zoo.trained_agent"],
    "Agents": ["robolearn.agents.protocol", "robolearn.agents.registry"],
    "Environments": [
        "robolearn.envs.vector_env", "robolearn.envs.single_env", "robolearn.envs.task",
        "robolearn.envs.registry",
    ],
    "stable-baselines3": ["robolearn.learning.sb3_vec_env"],
    "Shifts": ["robolearn.shifts.shift", "robolearn.shifts.plan", "robolearn.shifts.schedule"],
    "Lives": ["robolearn.lifetime"],
    "Strategies": ["robolearn.learning.strategies", "robolearn.learning.strategies.protocol"],
    "Adaptation": [
        "robolearn.adaptation.metrics", "robolearn.adaptation.windows",
        "robolearn.adaptation.statistics",
    ],
    "Recording": [
        "robolearn.filming", "robolearn.recording", "robolearn.recording.trajectory",
        "robolearn.recording.brain", "robolearn.recording.film", "robolearn.recording.comparison",
    ],
    "Your own code": ["robolearn.extensions"],
}  # fmt: skip


def main() -> int:
    """Write the pages, and build the site of them."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--pages", action="store_true", help="the Markdown pages alone")
    options = parser.parse_args()
    shutil.rmtree(BUILD, ignore_errors=True)
    PAGES.mkdir(parents=True)
    nav = write_pages()
    base = (DOCS / "mkdocs.yml").relative_to(ROOT)
    config = {
        "INHERIT": str(Path("../..") / base),
        "docs_dir": str(PAGES),
        "site_dir": str(SITE),
        "nav": nav,
    }
    (BUILD / "mkdocs.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    if options.pages:
        print(PAGES)
        return 0
    command = ["mkdocs", "build", "--strict", "--quiet", "--clean", "-f", str(BUILD / "mkdocs.yml")]
    # Its theme would advertise its successor on the terminal, which can read this site as it is.
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    code = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=quiet, check=False
    ).returncode
    if code == 0:
        print(SITE / "index.html")
    return code


def write_pages() -> list[dict[str, Any]]:
    """Write all pages below `PAGES`; return what the site's navigation shows."""
    for page in DOCS.glob("*.md"):
        _write(page.name, _with_benchmarks(page.read_text(encoding="utf-8")))
    shutil.copy(ROOT / "videos" / "quadruped_modular.gif", PAGES)
    return [
        {"robolearn": "index.md"},
        {"Tutorial": "tutorial.md"},
        {"Environments": write_envs()},
        {"Agents": write_agents()},
        {"Shifts": write_shifts()},
        {"Rules": write_rules()},
        {"Learners": write_learners()},
        {"Protocols": write_protocols()},
        {"Command line": write_command_line()},
        {"Python": write_api()},
        {
            "Notes": [
                {"Results": "results.md"},
                {"Architecture": "architecture.md"},
                {"Resuming": "resume.md"},
                {"Weights & Biases": "wandb.md"},
                {"Films without a display": "headless.md"},
                {"Many cores and clusters": "clusters.md"},
            ]
        },
    ]


def _with_benchmarks(text: str) -> str:
    """Copy the files of `benchmarks/` that a page links to among the pages; link to the copies."""
    (PAGES / "benchmarks").mkdir(exist_ok=True)
    for name in re.findall(r"\]\(\.\./benchmarks/([^)]+)\)", text):
        shutil.copy(ROOT / "benchmarks" / name, PAGES / "benchmarks" / name)
    return text.replace("](../benchmarks/", "](benchmarks/")


def write_envs() -> list[str | dict[str, str]]:
    """The cards of all environments, and a table of them."""
    entries = list_names("envs")["envs"]
    by_id = {entry["name"]: entry for entry in entries}
    pages, rows = {}, []
    for name in definition_names("envs"):
        folder = data_folder("envs") / name
        card = (folder / "card.md").read_text(encoding="utf-8")
        _write(f"envs/{name}.md", card.replace("(preview.png)", f"({name}.png)"))
        shutil.copy(folder / "preview.png", PAGES / "envs" / f"{name}.png")
        title = card.split("\n")[0].removeprefix("# ")
        pages[title] = f"envs/{name}.md"
        entry = by_id[title]
        legs = len(entry["legs"])
        rows.append([f"[`{title}`]({name}.md)", entry["task"], legs, len(entry["shifts"])])
    table = _table(["id", "task", "legs", "kinds of shift"], rows)
    _write(
        "envs/index.md",
        "# Environments\n\nPlain Gymnasium: `gymnasium.make`, `gymnasium.make_vec`. What an "
        "environment is stands in `envs/<name>/`, the code of its task in `robolearn/envs/`.\n\n"
        + table,
    )
    return ["envs/index.md", *({title: page} for title, page in sorted(pages.items()))]


def write_agents() -> list[str | dict[str, str]]:
    """The cards of all brains and of the trained agents, and tables of them."""
    nav: list[str | dict[str, str]] = ["agents/index.md"]
    rows, trained_rows = [], []
    trained = {entry["name"]: entry for entry in list_names("zoo")["zoo"]}
    for entry in list_names("agents")["agents"]:
        kind = entry["name"]
        card = data_folder("agents") / kind / "card.md"
        _write(f"agents/{kind}.md", card.read_text(encoding="utf-8"))
        rows.append(
            [f"[`{kind}`]({kind}.md)", *(entry[k] for k in ("neuron", "rule", "modulator"))]
        )
        nav.append({kind: f"agents/{kind}.md"})
    for name, entry in trained.items():
        kind, recipe = name.split("/")
        page = f"{kind}-{recipe}.md"
        card = data_folder("agents") / kind / "trained" / recipe / "card.md"
        _write(f"agents/{page}", card.read_text(encoding="utf-8"))
        trained_rows.append([f"[`{name}`]({page})", entry["env"], entry["learning"]])
        nav.append({f"trained: {name}": f"agents/{page}"})
    _write(
        "agents/index.md",
        "# Agents\n\n"
        + _table(["kind", "neuron", "rule", "modulator"], rows)
        + "\n\n## Trained\n\n`robolearn.load(NAME)`, `robolearn evaluate NAME`, `robolearn watch "
        "NAME`.\n\n" + _table(["name", "environment", "learner"], trained_rows),
    )
    return nav


def write_shifts() -> str:
    """Every kind of shift with its parameters, from the docstrings."""
    text = (
        "# Shifts\n\nWhat may change in body, world and senses. Written "
        "`KIND:VALUE:...@ONSETs` on the command line, such as `limb_damage:front_left:dead@5s`, "
        "`motor_gain:all:0.5@2s-6s` (from 2 s to 6 s) or `motor_gain:all:0.5..1.5@4s..6s` (drawn), "
        "and as a mapping in YAML. Which kinds a body admits is told by its card.\n"
    )
    for entry in list_names("shifts")["shifts"]:
        rows = [[f"`{k}`", f"`{v['default']}`", v["meaning"]] for k, v in
                entry["parameters"].items()]  # fmt: skip
        text += f"\n## {entry['name']}\n\n{entry['what']}\n\n`{entry['written']}`\n"
        text += f"\n{_table(['parameter', 'default', 'meaning'], rows)}\n" if rows else ""
    return _write("shifts.md", text)


def write_rules() -> list[str | dict[str, str]]:
    """What every local rule computes, where it comes from, and what is claimed of it."""
    modules = _modules(ROOT / "robolearn" / "plasticity")
    neurons = _modules(ROOT / "robolearn" / "neurons")
    nav: list[str | dict[str, str]] = ["rules/index.md"]
    rows = []
    for module in [*modules, *neurons]:
        part, name = module.split(".")[-2:]
        _write(f"rules/{name}.md", f"# {name}\n\n{_reference(module)}\n")
        nav.append({name: f"rules/{name}.md"})
        summary = (ROOT / "robolearn" / part / f"{name}.py").read_text(encoding="utf-8")
        first = summary.split('"""')[1].strip().split("\n\n")[0].replace("\n", " ")
        rows.append([f"[`{name}`]({name}.md)", part, first.replace("|", "\\|")])
    _write(
        "rules/index.md",
        "# Rules and neurons\n\nOne concept a file, as compiled functions over one layer of one "
        "individual. Each has its equation, its source, and a test of what it claims.\n\n"
        + _table(["name", "part", "what"], rows),
    )
    return nav


def write_learners() -> str:
    """What changes parameters between lives, with hyperparameters."""
    text = "# Learners\n\nWhat changes the parameters between lives: `learning.kind` in a recipe.\n"
    for entry in list_names("learners")["learners"]:
        rows = [[f"`{k}`", f"`{v['default']}`", v["meaning"]] for k, v in
                entry["parameters"].items()]  # fmt: skip
        text += f"\n## {entry['name']}\n\n{entry['what']}\n"
        text += f"\n{_table(['parameter', 'default', 'meaning'], rows)}\n" if rows else ""
    return _write("learners.md", text)


def write_protocols() -> str:
    """The conditions on which agents are compared, as they stand in the files."""
    text = (
        "# Protocols\n\n`robolearn evaluate AGENT --protocol NAME`. Every life has an intact twin "
        "of the same seed, and, if the brain is plastic, one that is frozen at the onset as it is "
        "then, and one that is frozen there at the mean of what it learned in the 2 s before (not "
        "where time is counted in trials, nor at birth). The "
        "figures are explained [here](api/adaptation.md).\n"
    )
    for path in sorted((data_folder("configs") / "protocols").glob("*.yaml")):
        text += f"\n## {path.stem}\n\n```yaml\n{path.read_text(encoding='utf-8').rstrip()}\n```\n"
    return _write("protocols.md", text)


def write_command_line() -> str:
    """All verbs with their arguments and options, from the program itself."""
    import typer

    group: Any = typer.main.get_command(app)
    text = f"# Command line\n\n{group.help}\n"
    for name, verb in group.commands.items():
        context: Any = verb.make_context(name, [], resilient_parsing=True)
        pieces = verb.collect_usage_pieces(context)
        words = " ".join(pieces).replace("[[", "[").replace("]]", "]").replace("]...]...", "]...")
        text += f"\n## {name}\n\n{verb.help}\n\n```\nrobolearn {name} {words}\n```\n"
        rows = []
        for parameter in verb.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None and parameter.name != "help":
                written = re.sub(r" <.*>", "", record[0]).strip()  # the type is told by the words
                rows.append([f"`{written}`", record[1]])
        text += f"\n{_table(['argument or option', 'meaning'], rows)}\n"
    return _write("command-line.md", text)


def write_api() -> list[dict[str, str]]:
    """The parts of the library that people call, from their docstrings."""
    nav = []
    for title, modules in API.items():
        page = f"api/{title.lower().replace(' ', '-')}.md"
        _write(page, f"# {title}\n\n" + "\n\n".join(map(_reference, modules)) + "\n")
        nav.append({title: page})
    return nav


def _modules(folder: Path) -> list[str]:
    """The modules of a part of the library, without its compiled entry point."""
    return [
        f"robolearn.{folder.name}.{path.stem}"
        for path in sorted(folder.glob("*.py"))
        if path.stem not in ("__init__", "compilation")
    ]


def _reference(module: str) -> str:
    return f"::: {module}"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("\n", " ") for cell in row) + " |" for row in cells
    )


def _write(page: str, text: str) -> str:
    path = PAGES / page
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return page


if __name__ == "__main__":
    sys.exit(main())
