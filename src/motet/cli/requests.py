"""Options of a method as the command line gives them, checked before anything heavy is loaded."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from motet.acting import METHOD
from motet.cli.paths import check_files
from motet.errors import ConfigError
from motet.method import MethodSpec
from motet.method_options import (
    check_condition,
    condition_from,
    option_names,
    parse_options,
    renamed,
)
from motet.methods import find_methods
from motet.options import OptionValue
from motet.registry import check_one_method, specs_of
from motet.request import Request
from motet.sinks import absorbs
from motet.style_video import check_style_video, is_video

Options = Mapping[str, OptionValue]


def method_options(
    names: str, flags: Mapping[str, OptionValue], arguments: Sequence[str]
) -> dict[str, OptionValue]:
    """Options from flags and from `--option NAME=VALUE`, for one method or two.

    Raises:
        ConfigError: an option that no method has, a value of another type, or one option twice.
    """
    specs = specs_of(names)
    own: dict[str, OptionValue] = {}
    for text in arguments:
        name = text.partition("=")[0]
        if name in own:
            raise ConfigError(f"option {name} is given twice; leave one out")
        spec = next((s for s in specs if renamed(s, name) in option_names(s)), specs[0])
        own |= parse_options(spec, [text])
        if renamed(spec, name) != name:
            _announce(name, renamed(spec, name))
    twice = sorted({*own} & {*flags})
    if twice:
        raise ConfigError(f"{twice[0]} is given by a flag and by --option; leave one out")
    for name in flags:
        _check_flag(name, names, specs)
    return {**flags, **own}


def _announce(earlier: str, present: str) -> None:
    print(
        f"motet: the option {earlier} is now called {present}; the earlier name goes with the next"
        " version",
        file=sys.stderr,
    )


def _check_flag(name: str, names: str, specs: Sequence[MethodSpec]) -> None:
    """A flag whose option no method of the request has is an error that names those that have."""
    if any(renamed(spec, name) in option_names(spec) for spec in specs):
        return
    flag = f"--{name.replace('guidance_', 'guidance.')}"
    owners = [spec.name for spec in find_methods().values() if name in option_names(spec)]
    raise ConfigError(
        f"{names} has no option {name!r}; {flag} belongs to {', '.join(owners) or 'no method'}"
    )


def check_conditions(specs: Sequence[MethodSpec], request: Request, weights: Path | None) -> None:
    """Make sure that every model can honour the options of a request, without loading it: only the
    configuration inside the weights is read.

    Raises:
        ConfigError: a value out of range, options that exclude each other, or one that the model
            cannot honour.
        CheckpointError: the weights cannot be read.
    """
    check_one_method(specs, weights)
    if is_video(str(request.options.get("style", ""))):
        check_style_video(str(request.options["style"]))
    own = [_own_options(spec, request) for spec in specs]
    conditions = [condition_from(s, values) for s, values in zip(specs, own, strict=True)]
    check_files({"--weights": weights})
    paths = [weights or weights_of(s, values) for s, values in zip(specs, own, strict=True)]

    from motet.checkpoint import read_config  # imports torch: after all that needs none

    for spec, condition, path in zip(specs, conditions, paths, strict=True):
        check_condition(condition, read_config(path, spec.config_type()))


def _own_options(spec: MethodSpec, request: Request) -> dict[str, OptionValue]:
    """The options of a request that one of its methods has, with what it absorbs."""
    known = option_names(spec)
    own = {k: v for k, v in request.options.items() if renamed(spec, k) in known}
    for setting, options in absorbs(spec).items():
        own = {**options(getattr(request.postprocess, setting)), **own}
    return own


def check_takes(specs: Sequence[MethodSpec], request: Request) -> None:
    """Make sure that several takes differ.

    Raises:
        ConfigError: the method gives one motion for all seeds, and nothing is drawn from them.
    """
    finish = request.postprocess
    drawn = finish.blink or finish.gestures or finish.gaze != METHOD
    if len(request.seeds) > 1 and all(spec.deterministic for spec in specs) and not drawn:
        names = ",".join(spec.name for spec in specs)
        raise ConfigError(
            f"{names} generates the same motion for every seed and with nothing drawn all takes"
            " are equal; leave --takes or --no-gestures out"
        )


def weights_of(spec: MethodSpec, options: Options) -> Path:
    """The person's weights, or the shipped ones."""
    if options.get("person"):
        return spec.weights_of_person(Path(str(options["person"])))
    return spec.shipped()


def spoken_text(text: str) -> str:
    """A text to speak: itself, or what a .txt file holds.

    Raises:
        ConfigError: the file cannot be read.
    """
    if not text.lower().endswith(".txt"):
        return text
    path = Path(text)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is not a text file that can be read; save it as UTF-8"
        ) from error
