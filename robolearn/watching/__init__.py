"""The live view: a trained agent walks in the browser, and buttons break and heal its body."""

from pathlib import Path

from robolearn.watching.life import WatchedLife
from robolearn.watching.page import WatchPage
from robolearn.zoo import load_trained

__all__ = ["WatchPage", "WatchedLife", "watch"]


def watch(agent: str | Path, seed: int = 0, port: int = 8080) -> None:
    """Show an agent live in the browser until Ctrl-C; nobody but this machine can look.

    Args:
        agent: a run folder or a zoo agent.
        seed: of the first life; every new life takes the next.
        port: where the page is; the next free one if it is taken.

    Raises:
        UserError: there is no such agent, or no port to open.
    """
    with WatchPage(WatchedLife(load_trained(agent), seed), port) as page:
        print(f"watch at {page.url} (Ctrl-C ends it)", flush=True)
        try:
            page.run()
        except KeyboardInterrupt:
            print()
