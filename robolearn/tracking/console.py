"""The console that tables are printed on."""

from typing import Any

from rich.console import Console


class PlainConsole(Console):
    """Prints text as it is, be it `[0.1]` or `:0.3:`.

    A reader who leaves early raises BrokenPipeError, which `exits.run_program` knows; rich's own
    console would end the program there and then.
    """

    def __init__(self, **options: Any) -> None:
        """Take the options of rich's console but those of markup."""
        super().__init__(emoji=False, markup=False, highlight=False, **options)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError."""
        self.quiet = True
        raise BrokenPipeError from None  # a new one, as typer exits with 1 on errno EPIPE
