"""What worker processes compute. A task takes JSON arguments, works in the data folder, and returns
JSON; whatever is larger is a file of the folder.
"""

from __future__ import annotations

from motet.serve.tasks import avatars, curves, edits, exports, persons, scenes, sounds, takes
from motet.serve.tasks.task import Task

TASKS: dict[str, Task] = {
    "inspect_sound": sounds.inspect_sound,
    "peaks": sounds.peaks,
    "playable": sounds.playable,
    "align": sounds.align,
    "speak": sounds.speak,
    "take": takes.make_take,
    "import_take": takes.import_take,
    "curves": curves.write_curves,
    "profile": curves.write_profile,
    "figure": curves.write_figure,
    "inspect_avatar": avatars.inspect,
    "export": exports.export,
    "check": exports.check,
    "edit": edits.edit,
    "reroll": edits.reroll,
    "make_scene": scenes.make_scene,
    "fit_person": persons.fit_person,
}
