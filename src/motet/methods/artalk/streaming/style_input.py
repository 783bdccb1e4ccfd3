"""The style of a session, from its name or a clip."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from motet.errors import ConfigError, nearest
from motet.face.mouth_style import NAMED, NEUTRAL, MouthStyle, style_of
from motet.methods.artalk.config import ArtalkCondition
from motet.methods.artalk.streaming.model import StreamingModel
from motet.methods.artalk.style import read_style
from motet.types import MotionSpace


def session_style(
    condition: ArtalkCondition, model: StreamingModel, space: MotionSpace
) -> tuple[Float[Tensor, "1 style"], MouthStyle]:
    """The generator's style vector, and what the style does to the regressed mouth.

    `guidance_style` scales the distance from the learned vector of no style.

    Raises:
        ConfigError: an unknown style.
        AssetError: a style clip that cannot be read.
    """
    null, names = model.null_style, model.config.styles
    if not condition.style:
        return null, NEUTRAL
    if condition.style in names:
        style = model.style_bank[names.index(condition.style)].unsqueeze(0)
        mouth = NAMED.get(condition.style, NEUTRAL)
    elif "." in condition.style:  # a file has an ending, a name has none
        clip = read_style(condition.style, space).to(null)  # (1, frames, dim)
        style, mouth = model.style(clip), style_of(clip[0])
    else:
        raise ConfigError(
            f"no style {condition.style!r} and no file of that name;"
            f" {nearest(condition.style, names)}"
        )
    strength = condition.guidance_style
    return null + strength * (style - null), mouth.scaled(strength)
