"""What all tests share: a cache folder of their own, never the user's."""

import sys
from collections.abc import Iterator

import pytest


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
