"""Progress bars on stderr, gone when the work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def progress_bars(quiet: bool) -> Progress:
    """A context in which tasks have bars; silent when `quiet` or when stderr is no terminal.

    Without a terminal rich would print an empty line at the end, in front of an error's one line.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    silent = quiet or not console.is_terminal
    return Progress(*columns, console=console, disable=silent, transient=True)
