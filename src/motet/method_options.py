"""Options of a method: their names, and values from what a user gave."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

from motet.config import Settings
from motet.errors import ConfigError, nearest
from motet.method import MethodSpec
from motet.options import OptionValue, Postprocess


def option_names(spec: MethodSpec) -> set[str]:
    """Names of the options of a method."""
    return {field.name for field in dataclasses.fields(spec.condition_type())}


def renamed(spec: MethodSpec, name: str) -> str:
    """The present name of an option; earlier names stay valid for one version."""
    earlier: Mapping[str, str] = getattr(spec.condition_type(), "RENAMED", {})
    return earlier.get(name, name)


def unknown_option(spec: MethodSpec, name: str) -> str:
    """Message for an option that a method does not have: where it belongs, or the nearest one."""
    if name in {field.name for field in dataclasses.fields(Postprocess)}:
        flag = name.replace("_", "-")
        return (
            f"{name} is no option of {spec.name} but a setting of post-processing; give --{flag}"
            f" on the command line, postprocess=motet.Postprocess({name}=...) in Python, or"
            f' "postprocess": {{"{name}": ...}} to the server'
        )
    return f"{spec.name} has no option {name!r}; {nearest(name, option_names(spec))}"


def condition_from(spec: MethodSpec, values: Mapping[str, OptionValue]) -> Settings:
    """A method's condition from the options that a user set.

    Raises:
        ConfigError: an option that the method does not have (names those it has), or one given
            under two names.
    """
    options: dict[str, OptionValue] = {}
    known = option_names(spec)
    # Two names of one option are a mistake, not an order of precedence.
    for given_name, value in values.items():
        name = renamed(spec, given_name)
        if name not in known:
            raise ConfigError(unknown_option(spec, given_name))
        if name in options:
            raise ConfigError(f"option {name} is given twice, once as {given_name}; leave one out")
        options[name] = value
    return spec.condition_type()(**options)


def check_condition(condition: Settings, config: Settings) -> None:
    """Make sure that a model can honour every option that is set.

    A condition says so by a method `check(config)`; one without needs nothing of the model.

    Raises:
        ConfigError: names an option that this model cannot honour, and why.
    """
    check: Callable[[Settings], None] | None = getattr(condition, "check", None)
    if check is not None:
        check(config)


def parse_options(spec: MethodSpec, arguments: Sequence[str]) -> dict[str, OptionValue]:
    """`NAME=VALUE` texts as values of the types that the method's condition declares.

    Raises:
        ConfigError: not of that form, unknown, or not of the declared type.
    """
    hints = typing.get_type_hints(spec.condition_type())
    known = option_names(spec)
    values: dict[str, OptionValue] = {}
    for text in arguments:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{text!r} is not of the form NAME=VALUE")
        if renamed(spec, name) not in known:
            raise ConfigError(unknown_option(spec, name))
        values[name] = _typed(hints[renamed(spec, name)], value, name)
    return values


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _typed(hint: object, text: str, name: str) -> OptionValue:
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        if text not in choices:
            listed = ", ".join(map(str, choices))
            raise ConfigError(f"option {name} must be one of {listed}, not {text!r}")
        return text
    # bool("no") is True, so truth values have words of their own
    parse: Callable[[str], OptionValue] = _truth if hint is bool else cast(type, hint)
    try:
        return parse(text)
    except (KeyError, ValueError, TypeError) as error:
        kind = getattr(hint, "__name__", str(hint))
        raise ConfigError(f"option {name} must be {kind}, not {text!r}") from error


def _truth(text: str) -> bool:
    return _TRUTH[text.lower()]
