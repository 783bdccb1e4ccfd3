"""Options of drawn pictures: size, background, camera, captions."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motet.errors import AssetError, ConfigError, nearest
from motet.rigs.figures import look_of

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, UInt8

DEFAULT_SIZE = 512
LEAST, MOST = 64, 4096
NAMED_SIZES = {
    "16:9": (1280, 720), "9:16": (720, 1280), "4:5": (864, 1080), "1:1": (720, 720),
    "720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160),
}  # fmt: skip
TRANSPARENT = "transparent"
CAMERAS = ("head", "bust", "three-quarter", "body", "follow", "front", "fixed")
"""The last three are for bodies, see `motet.render.body_camera`; the others for faces."""
VIDEOS = (".mp4", ".webm", ".mov")
KNEE, ROOM = 0.7, 0.3
"""Above the knee the renderer compresses light towards knee + room, see `pixel_shading.develop`."""
PICTURES = (*VIDEOS, ".png")
"""Endings of drawn files."""
WITH_ALPHA = (".webm", ".mov", ".png")
WITH_AVATAR = (".glb", ".vrma", *PICTURES)
WITH_FIGURE = (*PICTURES, ".glb", ".html", ".usda", ".usdc", ".usdz")
WITH_CAPTIONS = (*PICTURES, ".srt", ".vtt")


@dataclasses.dataclass(frozen=True)
class PictureOptions:
    """How pictures are drawn."""

    width: int = DEFAULT_SIZE
    """Pixels."""
    height: int = DEFAULT_SIZE
    """Pixels."""
    background: str = ""
    """A colour (`#1d2b3a`), a picture file, `transparent`; empty: a neutral backdrop."""
    camera: str = "head"
    """One of `CAMERAS`; a body is always drawn whole, and `head` is `follow` for it."""
    captions: str = ""
    """What is said (text or a .txt file), or a file with its times (.srt, .vtt); empty: none."""
    figure: str = ""
    """One of `motet.rigs.figures.FIGURES`; empty: the default one."""

    def __post_init__(self) -> None:
        for pixels in (self.width, self.height):
            if not LEAST <= pixels <= MOST:
                raise ConfigError(
                    f"width and height must lie between {LEAST} and {MOST} pixels, not {pixels}"
                )
        if self.camera not in CAMERAS:
            raise ConfigError(
                f"there is no camera {self.camera!r}; {nearest(self.camera, CAMERAS)}"
            )
        look_of(self.figure)
        if self.background and not self.is_transparent and colour_of(self.background) is None:
            _check_file(self.background, "a background is #RRGGBB, transparent, or a picture file")

    @property
    def is_transparent(self) -> bool:
        """Whether the pictures have an alpha channel."""
        return self.background == TRANSPARENT


def picture_options(
    size: int | str = DEFAULT_SIZE,
    background: str = "",
    camera: str = "head",
    captions: str = "",
    figure: str = "",
) -> PictureOptions:
    """Options from what a user writes; `size` is `720`, `1920x1080`, or a name such as `9:16`.

    Raises:
        ConfigError: a size, camera, background or figure that does not exist.
    """
    width, height = parse_size(size)
    return PictureOptions(width, height, background, camera, captions, figure)


def parse_size(size: int | str) -> tuple[int, int]:
    """Width and height of a size in words.

    Raises:
        ConfigError: not a size.
    """
    text = str(size).strip().lower()
    if text in NAMED_SIZES:
        return NAMED_SIZES[text]
    if match := re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", text):
        width = int(match[1])
        return width, int(match[2] or width)
    known = ", ".join(NAMED_SIZES)
    raise ConfigError(f"a size is PIXELS, WIDTHxHEIGHT, or one of {known}, not {str(size)!r}")


def colour_of(background: str) -> tuple[int, int, int] | None:
    """Red, green and blue of `#RRGGBB`; None if it is no colour."""
    if not re.fullmatch(r"#?[0-9a-fA-F]{6}", background):
        return None
    red, green, blue = bytes.fromhex(background.removeprefix("#"))
    return red, green, blue


def _check_file(path: str, expected: str) -> None:
    if not Path(path).is_file():
        raise ConfigError(f"{expected}; there is no file {path!r}")


def backdrop_of(options: PictureOptions) -> Float[np.ndarray, "height width 3"] | None:
    """The background in linear light; None for the neutral one, which the renderer has.

    Raises:
        AssetError: the background's file is no picture.
    """
    import numpy as np

    from motet.render.shading import linear_from_srgb

    if not options.background or options.is_transparent:
        return None
    colour = colour_of(options.background)
    if colour is not None:
        filled = np.full((options.height, options.width, 3), colour, np.uint8)
    else:
        filled = _picture(Path(options.background), options.width, options.height)
    return _before_compression(linear_from_srgb(filled))


def _before_compression(linear: Float[np.ndarray, "height width 3"]) -> np.ndarray:
    """Light that the renderer's compression of bright values turns into this light."""
    import numpy as np

    over = np.clip(linear - KNEE, 0.0, 0.995 * ROOM)
    return np.where(linear > KNEE, KNEE + ROOM * over / (ROOM - over), linear).astype(np.float32)


def _picture(path: Path, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """The middle of a picture file that fills the size."""
    import av
    import numpy as np

    try:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
    except (OSError, StopIteration, ValueError, IndexError, av.FFmpegError) as error:
        raise AssetError(f"{path} is not a picture that can be read; give a PNG or JPEG") from error
    scale = max(width / frame.width, height / frame.height)
    grown = max(width, round(frame.width * scale)), max(height, round(frame.height * scale))
    rgb = frame.reformat(*grown, format="rgb24").to_ndarray()
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    return np.ascontiguousarray(rgb[top : top + height, left : left + width])


def drawing(picture: PictureOptions) -> dict[str, str]:
    """The arguments of `write_clip` for picture options."""
    return {
        "size": f"{picture.width}x{picture.height}",
        "background": picture.background,
        "camera": picture.camera,
        "captions": picture.captions,
        "figure": picture.figure,
    }


def check_written(paths: Sequence[Path], picture: PictureOptions, avatar: Path | None) -> None:
    """Make sure that picture options and an avatar act on at least one file.

    Raises:
        ConfigError: one of them acts on none.
    """
    endings = {path.suffix.lower() for path in paths}
    plain = PictureOptions()
    drawn = (picture.width, picture.height, picture.background, picture.camera)
    changed_drawing = drawn != (plain.width, plain.height, plain.background, plain.camera)
    if changed_drawing and not endings & {*PICTURES}:
        listed = ", ".join(PICTURES)
        raise ConfigError(f"--size, --background and --camera are for {listed}; leave them out")
    if picture.is_transparent and not endings & {*WITH_ALPHA}:
        raise ConfigError(
            "a transparent background needs .webm, .mov or .png: an mp4 has no alpha channel"
        )
    if picture.captions and not endings & {*WITH_CAPTIONS}:
        raise ConfigError(f"--captions is for {', '.join(WITH_CAPTIONS)}; leave it out")
    if picture.figure and not endings & {*WITH_FIGURE}:
        raise ConfigError(f"--figure is for {', '.join(WITH_FIGURE)}; leave it out")
    if picture.figure and avatar is not None:
        raise ConfigError("--avatar is shown instead of a figure of motet; leave --figure out")
    if avatar is not None and not endings & {*WITH_AVATAR}:
        listed = ", ".join(WITH_AVATAR)
        raise ConfigError(f"--avatar acts on {listed}; write one with -o FILE.glb or FILE.mp4")
