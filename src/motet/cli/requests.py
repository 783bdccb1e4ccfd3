"""Options of a method as the command line gives them, checked before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from motet.errors import ConfigError
from motet.method import MethodSpec, condition_from, option_names, parse_options, renamed
from motet.options import OptionValue
from motet.registry import specs_of
from motet.sinks import Request, absorbs

Options = Mapping[str, OptionValue]


def method_options(
    names: str, flags: Mapping[str, OptionValue], given: Sequence[str]
) -> dict[str, OptionValue]:
    """Options from flags and from `--option NAME=VALUE`, for one method or two.

    Raises:
        ConfigError: an option that no method has, a value of another type, or one option twice.
    """
    specs = specs_of(names)
    own: dict[str, OptionValue] = {}
    for text in given:
        name = text.partition("=")[0]
        if name in own:
            raise ConfigError(f"option {name} is given twice; leave one out")
        spec = next((s for s in specs if renamed(s, name) in option_names(s)), specs[0])
        own |= parse_options(spec, [text])
    twice = sorted({*own} & {*flags})
    if twice:
        raise ConfigError(f"{twice[0]} is given by a flag and by --option; leave one out")
    for name in flags:
        _check_flag(name, names, specs)
    return {**flags, **own}


def _check_flag(name: str, names: str, specs: Sequence[MethodSpec]) -> None:
    """A flag whose option no method has is an error that names the flag."""
    if any(renamed(spec, name) in option_names(spec) for spec in specs):
        return
    flag = f"--{name.replace('guidance_', 'guidance.')}"
    remedies = {
        "guidance_audio": f"{names} has no guidance by audio; leave {flag} out",
        "guidance_style": f"{names} has no guidance by style; leave {flag} out",
        "person": (
            f"{names} animates a figure and has no person; --person belongs to methods that draw"
            " one, such as speech2lip"
        ),
        "style": f"{names} has no styles; --style belongs to artalk and diffposetalk",
        "source": f"{names} has no source position; --source belongs to mospa",
        "genre": f"{names} has no genre; --genre belongs to mospa",
        "text": f"{names} uses no transcript; --text belongs to kmtalk",
        "keys": f"{names} has no key motions; --keys belongs to kmtalk",
    }
    raise ConfigError(remedies.get(name, f"{names} has no option {name!r}"))


def condition_options(specs: Sequence[MethodSpec], request: Request) -> None:
    """Make sure that every method's condition can be built from a request.

    Raises:
        ConfigError: a value out of range, or options that exclude each other.
    """
    for spec in specs:
        known = option_names(spec)
        own = {k: v for k, v in request.options.items() if renamed(spec, k) in known}
        for setting, options in absorbs(spec).items():
            own = {**options(getattr(request.postprocess, setting)), **own}
        condition_from(spec, own)
