"""What all tests share: a cache folder of their own, never the user's; the command line."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Result
from tiny_run import write_tiny


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the lives that tests live out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_extensions() -> Iterator[None]:
    """Forget the modules of user files that a test loaded: lives of other tests depend on none."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("robolearn_extension_"):
            del sys.modules[name]


@pytest.fixture
def robolearn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Run the command line in this process, in an empty folder that holds `tiny.yaml`."""
    from robolearn import cli

    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path / "tiny.yaml", learning={"generations": 1, "validate_every": 5})
    monkeypatch.setattr("warnings.showwarning", None)  # main replaces it; put back at the end

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["robolearn", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert isinstance(end.value.code, int)
        captured = capsys.readouterr()
        return Result(end.value.code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def trotted():
    """The evaluation of a walker that never learns."""
    from trot import run

    return run(command="robolearn evaluate trot")


@pytest.fixture(scope="session")
def learned():
    """The evaluation of a walker that stands still as soon as its plasticity is frozen."""
    from trot import PlasticTrot, run

    return run(PlasticTrot())
