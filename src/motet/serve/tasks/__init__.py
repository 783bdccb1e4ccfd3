"""What worker processes compute. A task takes JSON arguments, works in the data folder, and returns
JSON; whatever is larger is a file of the folder.
"""

from __future__ import annotations

from motet.serve.tasks import curves, sounds, takes
from motet.serve.tasks.task import Task

TASKS: dict[str, Task] = {
    "inspect_sound": sounds.inspect_sound,
    "peaks": sounds.peaks,
    "playable": sounds.playable,
    "align": sounds.align,
    "take": takes.make_take,
    "import_take": takes.import_take,
    "curves": curves.write_curves,
    "figure": curves.write_figure,
}
