"""`motet methods [NAME]`: the methods there are, and the options of one."""

from __future__ import annotations

import dataclasses

import tyro

from motet.method import MethodSpec
from motet.methods import find_methods
from motet.option_text import options_of
from motet.registry import method_spec


@dataclasses.dataclass(frozen=True)
class Methods:
    """List the methods, or with a NAME the options that `run` and `live` take as `--option
    NAME=VALUE`.
    """

    name: tyro.conf.Positional[str] = ""
    """A method; all are listed when left out."""

    def execute(self) -> int:
        """Print the list, or the options."""
        if self.name:
            _print_options(method_spec(self.name))
            return 0
        methods = find_methods()
        width = max(map(len, methods))
        for name, spec in methods.items():
            print(f"{name:<{width}}  {spec.title}")
        print("motet methods NAME lists the options of one")
        return 0


def _print_options(spec: MethodSpec) -> None:
    if spec.whole_recording:
        live = f"needs the whole recording: {spec.whole_recording}"
    else:
        live = f"streams with a delay of {spec.look_ahead_s:g} s"
    print(f"{spec.name}: {spec.title}\n{spec.paper}\n{live}\n")
    for option in options_of(spec.condition_type()):
        print(f"  {option.name} = {option.default or repr('')}  ({option.values})")
        print(f"      {option.meaning}")


COMMAND = Methods
