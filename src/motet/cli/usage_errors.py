"""Errors of the parser of the command line as one line, as all other errors are.

The parser (tyro) prints a box: what is wrong, a rule, hints, a rule, where the help is.
"""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_RULE = re.compile(r"^\s*[─-]{9,}\s*$", re.MULTILINE)
NAME_INDENT = 4
"""Spaces before the name of an argument in the box; its help is indented further."""


def one_line(box: str, program: str) -> str:
    """The message of a box; empty where it is none of the known form.

    Args:
        program: what was called, for example `motet run`.
    """
    rows = [row for row in _COLOUR.sub("", box).splitlines() if row and row[0] not in "╭╰"]
    inner = "\n".join(row[2:].rstrip("│ ") for row in rows)
    parts = [part for part in _RULE.split(inner) if part.strip()]
    if "│" not in box:  # without frames, as for terminals that know no others: the title is a part
        del parts[:1]
    if not parts:
        return ""
    wrong, *hints = parts
    if missing := re.match(r"\s*Missing from (.*):", wrong):
        program = missing[1]
        message = f"{program} needs {'; '.join(_arguments(wrong))}"
    else:
        message = " ".join(wrong.split()).rstrip(".")
        likely = [hint for hint in hints if hint.lstrip().startswith("Perhaps you meant")]
        names = [name.split()[0] for hint in likely for name in _arguments(hint)]
        message += f"; perhaps you meant {' or '.join(names[:3])}" if names else ""
    return f"{message}; see '{program} --help'"


def _arguments(part: str) -> list[str]:
    """Names of the arguments of a part, each with the first sentence of its help."""
    arguments: list[list[str]] = []
    for row in part.splitlines():
        text = row.strip()
        indent = len(row) - len(row.lstrip())
        if not text or text.endswith(":") and not arguments:  # the part's heading
            continue
        if indent <= NAME_INDENT:
            arguments.append([text])
        elif arguments:
            arguments[-1].append(text)
    return [_described(name, " ".join(help_rows)) for name, *help_rows in arguments]


def _described(name: str, about: str) -> str:
    sentence = about.removesuffix("(required)").strip().split(". ")[0].rstrip(".")
    return f"{name} ({sentence})" if sentence else name
