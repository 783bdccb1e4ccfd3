"""Settings of KMTalk: the small model that ships, the sizes for VOCASET and BIWI, and the
baselines that it is compared with.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from motet.errors import ConfigError
from motet.options import check_choices, check_ranges, option, refuse

Completion = Literal["cmc", "faceformer", "selftalk"]


@dataclasses.dataclass(frozen=True)
class TrunkConfig:
    """A wav2vec 2.0 trunk inside the model; the defaults are wav2vec2-base, as in the paper."""

    hidden: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    conv_widths: tuple[int, ...] = (512,) * 7
    position_taps: int = 128
    position_groups: int = 16


@dataclasses.dataclass(frozen=True)
class KeyTraining:
    """Augmentation of the keys in training, because those at run time are imperfect.

    The names of the fields are keys of saved configurations.
    """

    drop_identity: float = 0.3
    """Probability of dropping the phone identities of a performance, as for audio without text."""
    heard_keys: float = 0.4
    """Probability of replacing the labelled phones by those that the audio encoder detects."""
    disturb: float = 0.3
    """Probability of shifting all keys of a performance by up to one frame, dropping some and adding
    some."""
    drop_keys: float = 0.1
    """Share of the keys dropped then."""
    extra_keys: float = 0.05
    """Share of random keys added then."""
    noise: float = 0.05
    """Deviation of the noise on the completion's input keys, in deviations of each channel."""
    true_keys: float = 0.3
    """Probability of feeding the completion the true keys instead of the predicted ones."""
    mask: float = 0.15
    """Probability of replacing the interpolated motion of a frame between keys by a learned
    vector."""
    frames: int = 100
    """Frames of a training window."""


@dataclasses.dataclass(frozen=True)
class KMTalkConfig:
    """The network, its motion space and its audio encoder."""

    SCHEMA = 1

    space: str = "arkit"
    """`arkit`, or `vertices/NAME` for meshes as offsets from a neutral template (NAME: vocaset,
    biwi, or your own)."""
    fps: float = 25.0
    """Output frame rate."""
    motion_dim: int = 55
    """Numbers a frame: 55 for `arkit`, three a vertex for meshes."""
    components: int = 0
    """Components of the fixed PCA basis of the network's output; 0: no basis."""
    lips: tuple[int, ...] = ()
    """Mesh spaces: vertices of the lips, weighted double in the losses."""
    front_end: Literal["phonetic", "bands", "wav2vec2"] = "phonetic"
    """Audio encoder: the shipped phonetic encoder, band energies (tests), or a wav2vec 2.0 trunk
    inside the model."""
    trunk: TrunkConfig | None = None
    """Sizes of that trunk."""
    resample_audio: bool = False
    """Trunk: features are interpolated to the frame rate before the transformer (VOCASET); otherwise
    concatenated in pairs (BIWI)."""
    audio_dim: int = 256
    """Channels of the audio features."""
    steps_per_frame: int = 2
    """Feature steps per frame; they are concatenated."""
    mix_layers: int = 3
    """Residual convolutions over the audio features, each two frames to either side; 0 for a trunk,
    which has context itself."""
    reading_steps: tuple[int, ...] = (-8, -4, -2, 0, 2, 4, 8)
    """Feature steps around each frame that enter the linear regressor, fitted in closed form before
    training; the networks predict its residual. Empty: no regressor (a trunk has none)."""
    reading_phones: tuple[int, ...] = (-3, -1, 0, 1, 3)
    """Frames around each whose phone also enters the regressor; not for baselines without keys, which
    have no phones."""
    width: int = 160
    """Width d of both stages."""
    heads: int = 4
    expansion: int = 2
    """Inner width of the feed-forward parts over `width`."""
    dropout: float = 0.1
    key_layers: int = 2
    """Layers of the key-motion decoder; 0: keys come from a full-sequence decoder (the paper's
    ablation)."""
    key_band_s: float = 0.24
    """Half-width of a key's cross-attention to the audio."""
    completion: Completion = "cmc"
    """What generates all frames: the cross-modal completion, or a baseline of FaceFormer's or
    SelfTalk's kind."""
    use_keys: bool = True
    """Baselines: with key motions plugged in, or as published."""
    audio_guidance: bool = True
    """Cross-attention of the completion to the audio (False: the paper's ablation)."""
    cmc_layers: int = 2
    cmc_band_s: float = 0.12
    """Half-width of a frame's cross-attention to the audio in the completion."""
    period: int = 25
    """Period of the positional encoding."""
    reach: int = 75
    """Half-width of self-attention in tokens; 0: all (as in the paper, quadratic in the length)."""
    phone_dim: int = 32
    """Width of the embedding of the phones at both sides of a key; 0: identities are not used."""
    anchor: str = "boundary"
    """Default positions of the keys: boundary, midpoint, both, uniform:RATIO."""
    closure_keys: bool = True
    """One more key in the middle of every p, b and m."""
    training: KeyTraining = KeyTraining()

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ConfigError(f"width ({self.width}) must be a multiple of heads ({self.heads})")
        if (self.front_end == "wav2vec2") != (self.trunk is not None):
            raise ConfigError(
                "front_end 'wav2vec2' needs the sizes of its trunk, and no other audio encoder"
                " may have one"
            )
        if self.completion != "cmc" and not self.audio_guidance:
            raise ConfigError(
                "a baseline needs audio; audio_guidance=False is for the completion 'cmc' only"
            )
        if self.space != "arkit" and self.motion_dim % 3:
            raise ConfigError(
                f"a mesh has three numbers a vertex; motion_dim {self.motion_dim} is no multiple of"
                " three"
            )
        if self.trunk is not None and self.reading_steps:
            raise ConfigError("a trunk learns its own features; reading_steps must be empty then")
        check_anchor(self.anchor)

    @property
    def reads_phones(self) -> tuple[int, ...]:
        """Frames around each whose phones enter the linear regressor."""
        return (
            self.reading_phones if self.reading_steps and self.needs_keys and self.phone_dim else ()
        )

    @property
    def needs_keys(self) -> bool:
        """Whether key motions are predicted at all."""
        return self.completion == "cmc" or self.use_keys


def check_anchor(anchor: str) -> float | None:
    """The ratio of `uniform:RATIO`, None for the anchors that lie on phones.

    Raises:
        ConfigError: none of these.
    """
    kind, colon, ratio = anchor.partition(":")
    if kind in ("boundary", "midpoint", "both", "file") and not colon:
        return None
    try:
        value = float(ratio) if kind == "uniform" and colon else 0.33 if kind == "uniform" else -1.0
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 1.0:
        raise ConfigError(
            "anchor must be boundary, midpoint, both, file or uniform:RATIO with a ratio above 0"
            f" and at most 1, not {anchor!r}"
        )
    return value


KEY_OPTIONS = ("text", "timing", "keys", "anchor", "recogniser", "shift")
HOUSE_OPTIONS = ("seal", "opening", "amplitude", "head")


@dataclasses.dataclass(frozen=True)
class KMTalkCondition:
    """Options of a take."""

    text: str = option("", "he was not a young man", preset="shipped")
    """Transcript in English words, or a text file (.txt): phones are aligned to it."""
    timing: str = option("", "{timing}", preset="shipped")
    """A file with phone times: Praat TextGrid, CTM, JSON or CSV; instead of `text`."""
    keys: str = option("", "{keys}")
    """A file of key motions as `motet keys` writes it, edited; the take passes through its poses
    and everything between is completed anew."""
    anchor: str = option("", "uniform:0.2", preset="shipped")
    """boundary, midpoint, both, uniform:RATIO, or file (the times of `timing` are the keys
    themselves); empty: as trained."""
    recogniser: Literal["auto", "encoder", "loop", "none"] = option(
        "auto", "none", preset="shipped"
    )
    """Phones of audio without text: of recognised English words (`auto`), by the phonetic encoder,
    by pocketsphinx's phone loop, or none (uniform keys). With `text` or `timing` it is the
    fallback."""
    clamp: bool = option(True, False, preset="shipped", given={"keys": "{keys}"})
    """With `keys`: the take passes exactly through the edited poses."""
    seal: bool = option(True, False, preset="shipped", given={"timing": "{timing}"})
    """House space: close the lips at every p, b and m of the transcript, or detected with high
    probability."""
    opening: float = option(0.9, 0.0, preset="shipped")
    """House space: weight of the mouth regressed from the audio against the model's (0: the model
    alone)."""
    amplitude: float = option(1.0, 0.5, preset="shipped")
    """House space: scale of the mouth's motion."""
    head: float = option(2.0, 0.5, preset="shipped")
    """House space: scale of the head's motion, for the same reason."""
    shift: int = option(0, 5, preset="shipped", given={"timing": "{timing}"})
    """Frames by which all keys are shifted (to measure how much their timing matters)."""
    template: str = option("", "{template}", preset="tiny_mesh")
    """Mesh spaces: file with the neutral face (.npy with (vertices, 3), .obj or .ply); empty: offsets
    from a template of zeros."""

    def __post_init__(self) -> None:
        check_choices(self)
        check_ranges(self, {"head": (0.0, 3.0), "amplitude": (0.1, 3.0), "opening": (0.0, 1.0)})
        if self.anchor:
            check_anchor(self.anchor)
        if self.anchor == "file" and not self.timing:
            raise ConfigError(
                "anchor=file takes the times of a file as keys; give one with timing=FILE"
            )
        if self.text and self.timing:
            raise ConfigError("timing already holds the phones; give either text or timing")
        if self.keys:
            refuse(self, ("seal", "opening"), "with keys the lips follow the edited poses")
        else:
            refuse(self, ("clamp",), "it acts on edited key motions; give some with keys")

    def check(self, config: KMTalkConfig) -> None:
        """Check that a model can honour every option that is set.

        Raises:
            ConfigError: names one that it cannot.
        """
        if not config.needs_keys:
            refuse(self, KEY_OPTIONS, "this model is a baseline without key motions")
        if config.space == "arkit":
            refuse(self, ("template",), "only models of mesh spaces have it")
        else:
            refuse(self, HOUSE_OPTIONS, "only models of the house space have it")
        if config.front_end == "bands":
            refuse(self, ("recogniser",), "this model has no phonetic encoder")
        if config.front_end != "phonetic":
            refuse(self, ("opening",), "this model has no audio encoder that regresses the mouth")


TINY = KMTalkConfig(front_end="bands", audio_dim=8, mix_layers=1, width=16, heads=2, key_layers=1, cmc_layers=1, phone_dim=4, reach=20, dropout=0.0,
                    training=KeyTraining(frames=60))  # fmt: skip
_MESH = KMTalkConfig(
    "vertices/vocaset",
    30.0,
    15069,
    512,
    (),
    "wav2vec2",
    TrunkConfig(),
    True,
    768,
    1,
    0,
    reading_steps=(),
    width=512,
    period=30,
    reach=0,
)
_TINY_MESH = KMTalkConfig(
    "vertices/vocaset",
    30.0,
    36,
    5,
    (0, 3),
    "wav2vec2",
    TrunkConfig(24, 2, 4, 32, (16,) * 7, 16, 4),
    True,
    24,
    1,
    0,
    reading_steps=(),
    width=16,
    heads=2,
    key_layers=1,
    cmc_layers=1,
    phone_dim=4,
    period=30,
    reach=0,
    training=dataclasses.replace(TINY.training, frames=30),
)
PRESETS: dict[str, KMTalkConfig] = {
    "default": KMTalkConfig(),
    "tiny": TINY,
    "tiny_mesh": _TINY_MESH,
    # Faces of VOCASET with small networks: to try the chain of commands.
    "tiny_vocaset": dataclasses.replace(_TINY_MESH, motion_dim=15069, lips=()),
    "vocaset": _MESH,
    "biwi": dataclasses.replace(
        _MESH,
        space="vertices/biwi",
        fps=25.0,
        motion_dim=70110,
        resample_audio=False,
        steps_per_frame=2,
        width=1024,
        period=25,
    ),
    "uniform": KMTalkConfig(anchor="uniform:0.33", closure_keys=False),
    "boundary_only": KMTalkConfig(closure_keys=False),
    "midpoint": KMTalkConfig(anchor="midpoint", closure_keys=False),
    "no_key_decoder": KMTalkConfig(key_layers=0),
    "no_audio_guidance": KMTalkConfig(audio_guidance=False),
    "faceformer": KMTalkConfig(completion="faceformer", use_keys=False),
    "faceformer_keys": KMTalkConfig(completion="faceformer"),
    "selftalk": KMTalkConfig(completion="selftalk", use_keys=False),
    "selftalk_keys": KMTalkConfig(completion="selftalk"),
}
