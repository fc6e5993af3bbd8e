"""The command line: list, train, evaluate, record, bench. Heavy modules load when a verb runs."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="robolearn",
    help="Train brain-inspired agents in robot bodies, break a leg, measure the adaptation, film it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Extensions = Annotated[
    list[Path] | None,
    typer.Option("--with", help="Python file of your own that registers rules, agents or tasks."),
]
ShiftTexts = Annotated[
    list[str] | None,
    typer.Option("--shift", help="Such as limb_damage:front_left:dead@5s; may be repeated."),
]


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="envs, agents, shifts, configs, zoo or all.")] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    extensions: Extensions = None,
) -> None:
    """Show what there is to train, to break and to load."""
    from robolearn.listing import list_names, print_names

    _load_extensions(extensions)
    names = list_names(what)
    if as_json:
        print(json.dumps(names, indent=2))
    else:
        print_names(names)


@app.command()
def train(
    config: Annotated[
        str | None, typer.Argument(help="A recipe: a path, or a name in configs/.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Such as learning.population=64.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Replaces the seed of the recipe.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Several runs, such as 0-4 or 0,3,7.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/<name>/seed-<seed>.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run folder.")] = None,
    extensions: Extensions = None,
) -> None:
    """Train agents from a recipe; every run is a folder that can be resumed."""
    from robolearn import training
    from robolearn.config import load_config
    from robolearn.errors import UserError

    _load_extensions(extensions)
    if resume is not None:
        if config is not None or overrides or seed is not None or seeds is not None or out:
            raise UserError("--resume takes the run folder alone: its config is in the folder")
        _train_one(lambda: training.resume(resume, sys.argv), resume)
        return
    if config is None:
        raise UserError("train needs a CONFIG, such as configs/quickstart.yaml, or --resume RUN")
    if seed is not None and seeds is not None:
        raise UserError("--seed and --seeds exclude each other")
    every = parse_seeds(seeds) if seeds is not None else [seed]
    for one in every:
        extra = [] if one is None else [f"seed={one}"]
        resolved = load_config(config, [*(overrides or []), *extra])
        folder = out or Path("runs") / resolved.name / f"seed-{resolved.seed}"
        if seeds is not None and out is not None:
            folder = out / f"seed-{resolved.seed}"
        _train_one(lambda: training.train(resolved, folder, sys.argv), folder)  # noqa: B023


@app.command()
def evaluate(
    agent: Annotated[str, typer.Argument(help="A run folder, a folder of runs, or a zoo agent.")],
    protocol: Annotated[str, typer.Option(help="A name in configs/protocols/, or a path.")] = (
        "adaptation"
    ),
    shift: ShiftTexts = None,
    episodes: Annotated[int | None, typer.Option(help="Lives for each condition.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Keys the test lives.", min=0)] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write raw numbers.")] = None,
    extensions: Extensions = None,
) -> None:
    """Measure how an agent adapts when its body changes in mid-life."""
    from robolearn.evaluating import evaluate_agents

    _load_extensions(extensions)
    evaluate_agents(agent, protocol, shift or [], episodes, seed, json_file, sys.argv)


@app.command()
def record(
    agent: Annotated[str, typer.Argument(help="A run folder or a zoo agent.")],
    shift: ShiftTexts = None,
    out: Annotated[
        Path | None, typer.Option(help="FILE.mp4, or FILE.html for a browser replay.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the life.", min=0)] = 0,
    seconds: Annotated[float | None, typer.Option(help="Length of the life.")] = None,
    extensions: Extensions = None,
) -> None:
    """Film one life; damaged limbs are red, and the trajectory is always kept."""
    import warnings

    from robolearn.filming import film_life
    from robolearn.zoo import load_trained

    _load_extensions(extensions)
    trained = load_trained(agent)
    target = out or Path(f"{trained.folder.name}-film")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        files = film_life(trained, target, shift or [], seed, seconds)
    for warning in caught:
        print(warning.message, file=sys.stderr)
    for file in files:
        print(file)


@app.command()
def bench(
    quick: Annotated[bool, typer.Option(help="Fewer repetitions.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures.")] = None,
) -> None:
    """Measure speed as ratios within one run: lifetimes against bare physics, us against others."""
    from robolearn.bench import run_bench

    run_bench(quick, json_file)


def parse_seeds(text: str) -> list[int]:
    """Read `0-4` or `0,3,7`.

    Raises:
        UserError: it cannot be read.
    """
    from robolearn.errors import UserError

    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            seeds += range(int(first), int(last) + 1) if dash else [int(first)]
    except ValueError:
        seeds = []
    if not seeds:
        raise UserError(f"--seeds {text!r} cannot be read (valid: 0-4 or 0,3,7)")
    return seeds


def main() -> None:
    """Run the command line; mistakes of the user end with one line and exit code 2."""
    from robolearn.errors import UserError

    try:
        app(standalone_mode=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _train_one(start: Any, folder: Path) -> None:
    try:
        start()
    except KeyboardInterrupt:
        print(f"interrupted; go on with: robolearn train --resume {folder}", file=sys.stderr)
        sys.exit(130)
    print(folder)


def _load_extensions(files: list[Path] | None) -> None:
    if files:
        from robolearn.extensions import load_extension

        for file in files:
            load_extension(file)
