"""The delay dial: which options of a method give the delay that a user wants."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from motet.errors import ConfigError
from motet.method import MethodSpec, StreamingDelay
from motet.options import OptionValue

AUTO_S = 0.35
"""Delay that `auto` asks for."""
MARGIN_S = 0.11
"""Added for computing, the network and the receiver's screen in the advice to players."""
DEFAULT_COST = 0.5
"""CPU seconds for a second of sound of methods that state nothing."""


@dataclasses.dataclass(frozen=True)
class Dial:
    """A chosen position."""

    options: Mapping[str, OptionValue]
    """Options to add to the user's."""
    algorithm_s: float
    """Largest time from a frame's sound to the frame, computation left out."""
    cost: float
    """CPU seconds for a second of sound."""

    @property
    def advice_s(self) -> float:
        """Delay with which a player should play the sound, so that no frame comes late."""
        return round(self.algorithm_s + MARGIN_S, 3)


def dial(spec: MethodSpec, delay_s: float | None, options: Mapping[str, OptionValue]) -> Dial:
    """The cheapest position of a method's dial that keeps within a delay.

    Args:
        delay_s: wanted at most, seconds; None leaves the method at its own options.
        options: of the user; one that the dial would set wins when no delay is asked for.

    Raises:
        ConfigError: the method has no such position, or an option is given that the dial sets.
    """
    if delay_s is None:
        return _present(spec, options)
    if not spec.delays:
        raise ConfigError(
            f"the delay of {spec.name} cannot be chosen, it is {spec.look_ahead_s:g} s; leave the"
            " delay out"
        )
    for name in spec.delays[0].options:
        if name in options:
            raise ConfigError(f"{name} is set by the delay; give one of the two")
    quick = [position for position in spec.delays if position.most_s <= delay_s + 1e-9]
    if not quick:
        least = min(position.most_s for position in spec.delays)
        raise ConfigError(f"{spec.name} needs a delay of at least {least:g} s, not {delay_s:g}")
    best = min(quick, key=lambda position: (position.cost, -position.least_s))
    return Dial(best.options, best.most_s, best.cost)


def _present(spec: MethodSpec, options: Mapping[str, OptionValue]) -> Dial:
    """What the user's options, or the method's own, amount to."""
    own = [position for position in spec.delays if position.most_s == spec.look_ahead_s]
    chosen = {**own[0].options, **options} if own else options
    positions = [position for position in spec.delays if _matches(position, chosen)]
    if positions:
        slowest = max(positions, key=lambda position: position.most_s)
        return Dial({}, slowest.most_s, slowest.cost)
    return Dial({}, spec.look_ahead_s, DEFAULT_COST)


def _matches(position: StreamingDelay, options: Mapping[str, OptionValue]) -> bool:
    return all(options.get(name, value) == value for name, value in position.options.items())
