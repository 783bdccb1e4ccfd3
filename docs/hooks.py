"""Parts of the site that are written elsewhere: the command line, the errors, the READMEs.

A page asks for one with a comment, for example `<!-- include: README src/motet/methods/artalk -->`;
the table below says which comments there are. What is generated from the code stands in the pages
too, down to `<!-- end -->`, so that they can be read in a checkout: `python docs/hooks.py` updates
it, and a test fails when it is not current.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGE = re.compile(r"^!\[[^\]]*\]\(([^)\s]+)\)\n\n?", re.MULTILINE)
INCLUDE = re.compile(
    r"^<!-- include: (\w+) ?(\S*) -->$(?:\n\n.*?\n\n<!-- end -->$)?", re.MULTILINE | re.DOTALL
)


def on_page_markdown(markdown: str, page: object, **_: object) -> str:
    """Called by mkdocs with the source of every page."""
    here = page.file.src_uri  # type: ignore[attr-defined]
    return INCLUDE.sub(lambda found: PARTS[found[1]](found[2], here), markdown)


def refreshed(markdown: str, here: str) -> str:
    """The source of a page with its generated parts written anew."""

    def written(found: re.Match[str]) -> str:
        begin = f"<!-- include: {f'{found[1]} {found[2]}'.strip()} -->"
        if found[1] not in GENERATED:
            return begin
        text = re.sub(r"\n{3,}", "\n\n", GENERATED[found[1]](found[2], here).strip())
        return f"{begin}\n\n{text}\n\n<!-- end -->"

    return INCLUDE.sub(written, markdown)


def refresh_pages() -> None:
    """Write the generated parts of all pages anew."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        current = refreshed(text, page.relative_to(ROOT / "docs").as_posix())
        if current != text:
            page.write_text(current, encoding="utf-8")
            print(page.relative_to(ROOT))


# ---- the command line ----------------------------------------------------------------------------


def command_line(_: str, here: str) -> str:
    """All verbs with their options, from the dataclasses that parse them."""
    from motet.cli import VERBS

    sections = []
    for verb, line in VERBS.items():
        command = importlib.import_module(f"motet.cli.{verb}").COMMAND
        sections.append(f"## motet {verb}\n\n{line}\n")
        if not isinstance(command, dict):
            sections.append(_verb(command, f"motet {verb}"))
            continue
        for name, part in command.items():
            sections += [f"### motet {verb} {name}\n", _verb(part, f"motet {verb} {name}")]
    return "\n".join(sections)


def _verb(command: type, program: str) -> str:
    """Docstring, usage and table of options of one dataclass."""
    rows = list(_options(command))
    places = " ".join(f"[{row[0]}]" for row in rows if not row[0].startswith("-"))
    table = "\n".join(f"| `{name}` | {default} | {_cell(text)} |" for name, default, text in rows)
    return (
        f"{inspect.getdoc(command)}\n\n```text\n{program} {places} [OPTIONS]\n```\n\n"
        f"| option | default | meaning |\n|---|---|---|\n{table}\n"
    )


def _options(command: type, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(name, default, meaning) of every field; nested dataclasses give `--outer.inner`."""
    from motet.option_text import field_docstrings

    meanings = field_docstrings(command)
    for field in dataclasses.fields(command):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if dataclasses.is_dataclass(default):
            flat = "OmitArgPrefixes" in str(field.type) or "name=''" in str(field.type)
            inner = "" if flat else f"{_dashed(field.name)}."
            yield from _options(type(default), prefix + inner)
            continue
        yield _named(field, prefix), _shown(default), meanings.get(field.name, "")


def _named(field: dataclasses.Field[object], prefix: str) -> str:
    """The option as it is typed: `-o, --out`, `--head / --no-head`, or `PATH` by position."""
    kind, name = str(field.type), _dashed(field.name)
    if "Positional" in kind:
        return field.name.upper()
    if kind == "bool":
        return f"--{prefix}{name} / --{prefix}no-{name}"
    aliases = "".join(f"{alias}, " for alias in re.findall(r"['\"](-\w)['\"]", kind))
    return f"{aliases}--{prefix}{name}"


def _shown(default: object) -> str:
    if default is dataclasses.MISSING:
        return "required"
    empty = default is None or default == "" or default == ()
    return (
        ""
        if empty
        else f"`{' '.join(map(str, default)) if isinstance(default, tuple) else default}`"
    )


def _dashed(name: str) -> str:
    return name.rstrip("_").replace("_", "-")  # `from_`: the word is Python's own


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def method_options(name: str, here: str) -> str:
    """The options of a method as a table, from the dataclass that parses them."""
    from motet.method import MethodSpec
    from motet.option_text import options_of
    from motet.registry import method_spec

    spec: MethodSpec = method_spec(name)
    rows = [
        f"| `{option.name}` | {_cell(option.values)} | {_shown(option.default)} |"
        f" {_cell(option.meaning)} |"
        for option in options_of(spec.condition_type())
    ]
    head = "| option | values | default | meaning |\n|---|---|---|---|\n"
    return head + "\n".join(rows)


# ---- Python --------------------------------------------------------------------------------------


def public_api(_: str, here: str) -> str:
    """A mkdocstrings entry for everything that `import motet` offers."""
    import motet

    entries = [f"::: {module}.{name}" for name, module in vars(motet)["_MODULE_OF"].items()]
    return "\n\n".join([*entries, "::: motet.methods.find_methods"])


def public_names(_: str, here: str) -> str:
    """Everything that `import motet` offers as a table; the site has the whole docstrings."""
    import motet
    from motet.methods import find_methods

    names = vars(motet)["_MODULE_OF"]
    things = {name: getattr(importlib.import_module(m), name) for name, m in names.items()}
    rows = [
        f"| `motet.{name}` | {_cell((inspect.getdoc(thing) or '').partition(chr(10) * 2)[0])} |"
        for name, thing in {**things, "methods()": find_methods}.items()
    ]
    return "| name | what it is |\n|---|---|\n" + "\n".join(rows)


def errors(_: str, here: str) -> str:
    """The error classes as a table."""
    from motet import errors as module

    classes = [kind for kind in vars(module).values() if inspect.isclass(kind)]
    own = [kind for kind in classes if issubclass(kind, module.MotetError)]
    rows = [
        f"| `{kind.__name__}` | `{kind.__base__.__name__}` | {_cell(inspect.getdoc(kind) or '')} |"
        for kind in own
    ]
    return "| class | derived from | raised for |\n|---|---|---|\n" + "\n".join(rows)


def extras(_: str, here: str) -> str:
    """The extras of pyproject.toml with the comments behind them, those of developers left out."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    lines = re.findall(r"^(\w+) = (\[.*?\])(?: *# *(.*))?$", section, re.MULTILINE)
    rows = []
    for name, requirements, what in lines:
        packages = ", ".join(re.findall(r'"([A-Za-z0-9-]+)', requirements))
        if name not in ("align", "test", "check"):
            rows.append(f'| `{name}` | {what} | {packages} | `pip install ".[{name}]"` |')
    head = "| extra | for | packages | install line in a checkout |\n|---|---|---|---|\n"
    return head + "\n".join(rows)


def methods(_: str, here: str) -> str:
    """The registered methods as a table."""
    from motet.methods import find_methods

    rows = [
        f"| [`{name}`]({name}.md) | {spec.title} | {spec.paper} |"
        for name, spec in find_methods().items()
        if spec.method.startswith("motet.")
    ]
    return "| name | what | paper |\n|---|---|---|\n" + "\n".join(rows)


# ---- files of the repository ---------------------------------------------------------------------


def readme(folder: str, here: str) -> str:
    """The README of a folder below its title: headings one level lower, links rewritten, without
    the drawings that the page shows itself.
    """
    page = (ROOT / "docs" / here).read_text(encoding="utf-8")
    text = _included(ROOT / folder / "README.md", here, demote=True)
    return IMAGE.sub(lambda found: "" if f"({found[1]})" in page else found[0], text)


def document(name: str, here: str) -> str:
    """A document at the root of the repository, without its title."""
    return _included(ROOT / name, here, demote=False)


def _included(path: Path, here: str, *, demote: bool) -> str:
    text = path.read_text(encoding="utf-8").partition("\n")[2]
    text = re.sub(r"```(?:python|sh)\n", "```text\n", text)  # not run there, so not marked as run
    if demote:
        text = re.sub(r"^(#+) ", r"#\1 ", text, flags=re.MULTILINE)
    return re.sub(
        r"(!?\[[^\]]*\])\(([^)\s]+)\)", lambda found: _moved(found, path.parent, here), text
    )


def _moved(link: re.Match[str], folder: Path, here: str) -> str:
    """A link of a file as seen from a page; to files outside the site only their path remains."""
    shown, target = link[1], link[2]
    if target.startswith(("http:", "https:", "#")):
        return link[0]
    file, _, anchor = target.partition("#")
    inside = (folder / file).resolve()
    docs = ROOT / "docs"
    if not inside.is_relative_to(docs):
        return f"{shown.lstrip('!').strip('[]')} (`{inside.relative_to(ROOT)}`)"
    path = posixpath.relpath(inside.relative_to(docs).as_posix(), posixpath.dirname(here) or ".")
    return f"{shown}({path}{'#' + anchor if anchor else ''})"


PARTS = {
    "COMMANDS": command_line,
    "DOCUMENT": document,
    "ERRORS": errors,
    "EXTRAS": extras,
    "METHODS": methods,
    "OPTIONS": method_options,
    "PYTHON": public_api,
    "README": readme,
}
GENERATED = {
    "COMMANDS": command_line,
    "ERRORS": errors,
    "EXTRAS": extras,
    "METHODS": methods,
    "OPTIONS": method_options,
    "PYTHON": public_names,
}
"""What is written into the pages."""


if __name__ == "__main__":
    refresh_pages()
