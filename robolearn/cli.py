"""The command line, verb by verb. Heavy modules load when a verb runs."""

import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from robolearn.errors import UserError
from robolearn.exits import drop_output, run_program, signal_of, sigterm_interrupts

app = typer.Typer(
    name="robolearn",
    help="Train brains in robot bodies, break a leg, measure the adaptation, film it.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text, and no rich to wait for
    context_settings={"help_option_names": ["-h", "--help"]},
)

Extensions = Annotated[
    list[Path] | None,
    typer.Option(
        "--with", metavar="FILE.py", help="File of your own that registers rules, agents, shifts."
    ),
]
ShiftTexts = Annotated[
    list[str] | None,
    typer.Option("--shift", help="Such as limb_damage:front_left:dead@5s; may be repeated."),
]
Gap = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="STATIC CEILING",
        help="Two agents more: tell what share of their gap is closed.",
    ),
]


@app.command("list")
def list_(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[WHAT]", help="envs, agents, learners, shifts, configs, protocols or zoo."
        ),
    ] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    extensions: Extensions = None,
) -> None:
    """Show what there is to train, to break and to load."""
    from robolearn.listing import list_names, print_json, print_names

    _load_extensions(extensions)
    names = list_names(what)
    if as_json:
        print_json(names)
    else:
        print_names(names)


@app.command()
def train(
    config: Annotated[
        str | None,
        typer.Argument(metavar="CONFIG", help="A recipe: a path, or a name in configs/."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Such as learning.population=64."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Replaces the seed of the recipe.")] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Several runs, one after the other: 0-4 or 0,3,7.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; by default runs/<name>/seed-<seed>.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run folder; takes no CONFIG.")
    ] = None,
    extensions: Extensions = None,
) -> None:
    """Train agents from a recipe into run folders, or resume a run."""
    from robolearn import training
    from robolearn.config import load_config

    _load_extensions(extensions)
    if resume is not None:
        if config is not None or overrides or seed is not None or seeds is not None or out:
            raise UserError("--resume takes the run folder alone: its config is in the folder")
        _train_one(partial(training.resume, resume, sys.argv), resume, extensions)
        return
    if config is None:
        raise UserError("train needs a CONFIG, such as quickstart, or --resume RUN")
    if seed is not None and seeds is not None:
        raise UserError("--seed and --seeds exclude each other")
    every = parse_seeds(seeds) if seeds is not None else [seed]
    runs = {}
    for one in every:
        extra = [] if one is None else [f"seed={one}"]
        resolved = load_config(config, [*(overrides or []), *extra])
        folder = out or Path("runs") / resolved.name / f"seed-{resolved.seed}"
        runs[out / f"seed-{one}" if seeds is not None and out is not None else folder] = resolved
    begun = {folder for folder in runs if len(runs) > 1 and folder.exists()}
    for folder in begun:
        if not training.is_of(folder, runs[folder]):
            raise UserError(f"{folder} is of another config, so none of the runs was begun")
    for folder, resolved in runs.items():
        start = partial(training.train, resolved) if folder not in begun else training.resume
        _train_one(partial(start, folder, sys.argv), folder, extensions)


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.zip", help="What save() of stable-baselines3 wrote.")
    ],
    kind: Annotated[str, typer.Option("--as", help="ppo, recurrent_ppo, sac or td3.")],
    env: Annotated[str, typer.Option(help="Such as robolearn/Quadruped-v0.")],
    normaliser: Annotated[
        Path | None, typer.Option(help="The .pkl of the VecNormalize that it was trained with.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; by default runs/<name of the file>.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Unpickle, which runs whatever code the files hold.")
    ] = False,
    extensions: Extensions = None,
) -> None:
    """Make an agent of a stable-baselines3 file from elsewhere."""
    from robolearn.zoo.sb3_import import import_sb3

    _load_extensions(extensions)
    folder = out or Path("runs") / file.stem
    import_sb3(kind, file, env, folder, sys.argv, normaliser=normaliser, trust=trust)
    _print_folder(folder)


@app.command()
def tune(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A recipe: a path, or a name in configs/.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="The same for all trials."),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            help="learning.sigma=0.05..0.5:log (a range) or agent.hidden=16,32 (a choice); repeat."
        ),
    ] = None,
    trials: Annotated[int, typer.Option(help="In all, with those already there.", min=1)] = 20,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the search; by default runs/<name>/tuning.")
    ] = None,
    extensions: Extensions = None,
) -> None:
    """Search for good values of the keys of a recipe, resumably."""
    from robolearn.config import load_config
    from robolearn.tuning.study import Tuning
    from robolearn.tuning.verdict import print_verdict

    _load_extensions(extensions)
    folder = out or Path("runs") / load_config(config, overrides or []).name / "tuning"
    tuning = Tuning(config, overrides or [], space or [], folder, sys.argv)
    try:
        with sigterm_interrupts():
            tuning.run(trials)
    except KeyboardInterrupt as interrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        raise typer.Exit(128 + signal_of(interrupt)) from None
    print_verdict(tuning, extensions or [])


@app.command()
def evaluate(
    agent: Annotated[
        str, typer.Argument(metavar="AGENT", help="A run folder, a folder of runs, or a zoo agent.")
    ],
    protocol: Annotated[
        str | None, typer.Option(help="A name in configs/protocols/, or a path; the env's own.")
    ] = None,
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
def compare(
    agents: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[AGENT]...", help="Runs, folders of runs, zoo agents; none: the whole zoo."
        ),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="A name in configs/protocols/, or a path; each env's own.")
    ] = None,
    episodes: Annotated[int | None, typer.Option(help="Lives for each condition.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Keys the test lives.", min=0)] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write raw numbers.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write a line for each life.")] = (
        None
    ),
    gap: Gap = None,
    cache: Annotated[bool, typer.Option(help="Live no life twice.")] = True,
    extensions: Extensions = None,
) -> None:
    """Put agents side by side under one protocol."""
    from robolearn.comparing import compare as compare_all

    _load_extensions(extensions)
    command = shlex.join(["robolearn", *sys.argv[1:]])
    compare_all(agents or [], protocol, episodes, seed, cache, json_file, csv_file, gap, command)


@app.command()
def report(
    agents: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[AGENT]...", help="Runs, folders of runs, zoo agents; none: the whole zoo."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page.")] = Path("report.html"),
    protocol: Annotated[
        str | None, typer.Option(help="A name in configs/protocols/, or a path; each env's own.")
    ] = None,
    episodes: Annotated[int | None, typer.Option(help="Lives for each condition.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Keys the test lives.", min=0)] = 0,
    gap: Gap = None,
    cache: Annotated[bool, typer.Option(help="Live no life twice.")] = True,
    wandb: Annotated[str, typer.Option(help="Log it too: auto, online, offline or off.")] = "off",
    films: Annotated[bool, typer.Option(help="Film one life of each.")] = True,
    extensions: Extensions = None,
) -> None:
    """Write one page with leaderboard, figures and films."""
    from robolearn.reporting import report as write_report

    _load_extensions(extensions)
    command = shlex.join(["robolearn", *sys.argv[1:]])
    options: dict[str, Any] = {"episodes": episodes, "seed": seed, "use_cache": cache}
    options |= {"between": gap, "films": films, "wandb": wandb}
    print(write_report(agents or [], protocol, out, **options, command=command))


@app.command()
def record(
    agents: Annotated[
        list[str],
        typer.Argument(
            metavar="AGENT...", help="A run folder or a zoo agent; with --compare 2 to 4 of them."
        ),
    ],
    shift: ShiftTexts = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="FILE.mp4 or FILE.gif for a film, FILE.html for a browser replay, FILE for "
            "either; with --brain also FILE.png, its figure alone."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the life.", min=0)] = 0,
    seconds: Annotated[float | None, typer.Option(help="Length of what is filmed.")] = None,
    after: Annotated[float, typer.Option(help="Seconds of life before the film begins.")] = 0.0,
    brain: Annotated[
        bool,
        typer.Option("--brain", help="Show weights, rates and reward signals beside the body."),
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Agents side by side: same body, damage and seed.")
    ] = False,
    extensions: Extensions = None,
) -> None:
    """Film a life, or several side by side, with damaged limbs marked."""
    from robolearn.filming import film_comparison, film_life
    from robolearn.mirroring import keep_films
    from robolearn.zoo import load_trained

    _load_extensions(extensions)
    if compare:
        if brain:
            raise UserError("--compare shows no brains: record each agent alone with --brain")
        target = out or Path("comparison")
        files = film_comparison(agents, target, shift or [], seed, seconds, after_s=after)
    else:
        if len(agents) > 1:
            raise UserError(f"got {len(agents)} agents: add --compare to film them side by side")
        trained = load_trained(agents[0])
        target = out or Path(f"{trained.file_name}-film")
        files = film_life(trained, target, shift or [], seed, seconds, after_s=after, brain=brain)
    for file in files:
        print(file)
    if not compare:
        keep_films(trained, files)


@app.command()
def watch(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="A run folder or a zoo agent.")],
    seed: Annotated[int, typer.Option(help="Of the first life.", min=0)] = 0,
    port: Annotated[
        int, typer.Option(help="Of the page; the next free one if it is taken.", min=0, max=65535)
    ] = 8080,
    extensions: Extensions = None,
) -> None:
    """Watch an agent live in the browser; break and heal its legs."""
    from robolearn.watching import watch as watch_agent

    _load_extensions(extensions)
    watch_agent(agent, seed, port)


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer repetitions.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures.")] = None,
) -> None:
    """Measure speed against bare physics and against other simulators."""
    from robolearn.bench import run_bench

    run_bench(quick, json_file)


def parse_seeds(text: str) -> list[int]:
    """Read `0-4` or `0,3,7`.

    Raises:
        UserError: it cannot be read, runs backwards, or names a seed twice.
    """
    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            span = range(int(first), int(last) + 1) if dash else [int(first)]
            seeds += span if span else [-1]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {text!r} cannot be read (valid: 0-4 or 0,3,7, each seed once)")
    return seeds


def main() -> None:
    """Run the verb that the arguments of the process name."""
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    run_program(lambda: app(prog_name="robolearn", standalone_mode=False))


def _train_one(
    start: Callable[[], bool | None], folder: Path, extensions: list[Path] | None
) -> None:
    """Train one run and print its folder; on Ctrl-C or SIGTERM print how to go on, and exit."""
    try:
        with sigterm_interrupts():
            trained = start()
    except KeyboardInterrupt as interrupt:
        if (folder / "run.json").is_file():
            rest = "".join(f" --with {shlex.quote(str(file))}" for file in extensions or [])
            command = f"robolearn train --resume {shlex.quote(str(folder))}{rest}"
            print(f"interrupted; go on with: {command}", file=sys.stderr)
        else:
            print("interrupted before the training began", file=sys.stderr)
        raise typer.Exit(128 + signal_of(interrupt)) from None
    if trained is False:
        print(f"{folder} is finished: there is nothing to resume", file=sys.stderr)
    else:
        _print_folder(folder)


def _print_folder(folder: Path) -> None:
    try:
        print(folder, flush=True)
    except BrokenPipeError:  # the runs that follow go on all the same
        drop_output()


def _load_extensions(files: list[Path] | None) -> None:
    from robolearn.extensions import load_extension, load_installed

    load_installed()
    for file in files or ():
        load_extension(file)
