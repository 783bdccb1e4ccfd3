"""Speaking styles: performance parameters, named settings, sampled speakers."""

from __future__ import annotations

import dataclasses

import numpy as np

from motet.errors import ConfigError, nearest

_BOUNDS: dict[str, tuple[float, float]] = {
    "articulation": (0.2, 1.8),
    "smile": (-0.6, 0.8),
    "brow_height": (-0.8, 0.8),
    "brow_activity": (0.0, 3.0),
    "head_range": (0.0, 3.0),
    "head_tempo": (0.4, 2.0),
    "head_pitch": (-0.25, 0.25),
    "blink_rate": (2.0, 60.0),
    "gaze_range": (0.0, 3.0),
    "squint": (0.0, 0.6),
    "wide_eyes": (0.0, 0.6),
    "lip_tension": (0.0, 0.5),
    "energy": (0.3, 2.0),
    "asymmetry": (-0.5, 0.5),
}


@dataclasses.dataclass(frozen=True)
class StyleSettings:
    """How somebody performs. 1 is the measured average wherever a value is a factor.

    Raises:
        ConfigError: a value outside its bounds.
    """

    articulation: float = 1.0
    """Factor on the mouth's movement, 0.2..1.8."""
    smile: float = 0.0
    """Corners up (positive) or down (negative) at rest."""
    brow_height: float = 0.0
    """Brows raised (positive) or lowered and drawn together (negative) at rest."""
    brow_activity: float = 1.0
    """Factor on the brows' movements on emphasis."""
    head_range: float = 1.0
    """Factor on the head's movements."""
    head_tempo: float = 1.0
    """Factor on how often the head turns."""
    head_pitch: float = 0.0
    """Posture, radians: positive looks down."""
    blink_rate: float = 17.0
    """Blinks a minute."""
    gaze_range: float = 1.0
    """Factor on how far the eyes wander."""
    squint: float = 0.0
    """Narrowed lids at rest."""
    wide_eyes: float = 0.0
    """Widened lids at rest."""
    lip_tension: float = 0.0
    """Pressed lips at rest."""
    energy: float = 1.0
    """How strongly loudness drives mouth, head and brows."""
    asymmetry: float = 0.0
    """Left side stronger (positive) or right side (negative)."""

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"the style's {name} must lie in {low}..{high}, not {value}")


STYLES: dict[str, StyleSettings] = {
    "neutral": StyleSettings(),
    "warm": StyleSettings(
        smile=0.25, brow_height=0.12, squint=0.10, head_range=1.15, asymmetry=0.05
    ),
    "serious": StyleSettings(
        smile=-0.08,
        brow_height=-0.22,
        brow_activity=0.6,
        head_range=0.7,
        blink_rate=12,
        gaze_range=0.6,
    ),
    "energetic": StyleSettings(
        articulation=1.3,
        smile=0.18,
        brow_height=0.15,
        brow_activity=1.8,
        head_range=1.8,
        head_tempo=1.4,
        energy=1.5,
        blink_rate=22,
    ),
    "calm": StyleSettings(
        articulation=0.85,
        smile=0.08,
        brow_activity=0.5,
        head_range=0.6,
        head_tempo=0.7,
        energy=0.7,
        blink_rate=13,
    ),
    "skeptical": StyleSettings(
        smile=-0.05,
        brow_height=0.12,
        brow_activity=1.2,
        squint=0.18,
        asymmetry=0.45,
        head_pitch=-0.04,
        lip_tension=0.10,
    ),
    "sad": StyleSettings(
        articulation=0.75,
        smile=-0.35,
        brow_height=0.30,
        brow_activity=0.5,
        head_range=0.6,
        head_tempo=0.6,
        head_pitch=0.12,
        energy=0.6,
    ),
    "angry": StyleSettings(
        articulation=1.35,
        smile=-0.25,
        brow_height=-0.65,
        head_range=1.4,
        squint=0.25,
        lip_tension=0.2,
        energy=1.5,
        blink_rate=9,
    ),
    "surprised": StyleSettings(
        articulation=1.15,
        smile=0.05,
        brow_height=0.60,
        brow_activity=1.6,
        wide_eyes=0.35,
        head_pitch=-0.05,
        blink_rate=10,
    ),
    "whispering": StyleSettings(
        articulation=1.1,
        brow_height=0.08,
        head_range=0.5,
        gaze_range=1.4,
        head_pitch=0.05,
        energy=0.5,
    ),
    "news": StyleSettings(
        articulation=1.1,
        smile=0.06,
        brow_activity=1.0,
        head_range=0.8,
        head_tempo=1.2,
        gaze_range=0.3,
        blink_rate=20,
    ),
    "storyteller": StyleSettings(
        articulation=1.15,
        smile=0.15,
        brow_activity=1.7,
        head_range=1.5,
        head_tempo=0.9,
        gaze_range=1.5,
        energy=1.3,
    ),
    "timid": StyleSettings(
        articulation=0.7,
        smile=0.04,
        brow_height=0.18,
        head_range=0.5,
        gaze_range=1.8,
        head_pitch=0.08,
        blink_rate=28,
        energy=0.6,
    ),
}
"""Named styles."""


def style(name: str) -> StyleSettings:
    """A named style.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in STYLES:
        raise ConfigError(f"there is no style {name!r}; {nearest(name, STYLES)}")
    return STYLES[name]


def personal(settings: StyleSettings, speaker_seed: int, spread: float = 1.0) -> StyleSettings:
    """A style as one person has it: every parameter shifted a little, by seed."""
    # 0x57 keeps this stream apart from others of the same seed.
    random = np.random.default_rng([speaker_seed, 0x57])
    factors = {
        "articulation": 0.12,
        "brow_activity": 0.25,
        "head_range": 0.25,
        "head_tempo": 0.15,
        "blink_rate": 0.25,
        "gaze_range": 0.25,
        "energy": 0.15,
    }
    shifts = {
        "smile": 0.07,
        "brow_height": 0.08,
        "head_pitch": 0.02,
        "squint": 0.04,
        "lip_tension": 0.03,
        "asymmetry": 0.12,
    }
    values = dataclasses.asdict(settings)
    # sorted: the order of the draws is part of what a seed means
    for name in sorted(factors):
        # log-normal, so that a factor stays positive
        values[name] *= float(np.exp(spread * factors[name] * random.standard_normal()))
    for name in sorted(shifts):
        values[name] += spread * shifts[name] * float(random.standard_normal())
    return StyleSettings(**{name: float(np.clip(values[name], *_BOUNDS[name])) for name in values})
