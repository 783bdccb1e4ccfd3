"""`talk.html`: one page that shows the house figure speaking, with its sound, and needs no network.

The page holds the figure (glTF), the curves (`motet.export.player_curves`) and the sound (FLAC) as
base64, the first two compressed, and the script that plays them.
"""

from __future__ import annotations

import base64
import gzip
import html
from pathlib import Path
from string import Template

from motet.atomic_write import write_bytes
from motet.audio.downmix import to_mono
from motet.audio.io.write import encode_flac
from motet.audio.resampling import resample
from motet.audio_types import AudioSource
from motet.errors import AssetError, SpaceError
from motet.export.curves import single_motion
from motet.export.glb import generator
from motet.export.options import ExportOptions
from motet.export.player_curves import house_curves, packed
from motet.rigs.house.face_body import split
from motet.types import Clip

SCRIPT = Path(__file__).parents[1] / "serve" / "page" / "talk.js"
HIGHEST_RATE = 48_000
NOTE = "Synthetic: made by an algorithm, not recorded ({})."


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the page.

    Raises:
        InputError: the clip has no motion, or several takes.
        SpaceError: motion that the house figure cannot play.
        AssetError: the installation has no built page.
    """
    write_bytes(path, talk_page(clip, path.stem, options.picture.figure).encode("utf-8"))
    options.report(clip.motion.frames if clip.motion is not None else 0)


def talk_page(clip: Clip, title: str, figure: str = "") -> str:
    """The page as text; see `write` for what it raises."""
    motion = single_motion(clip, "talking page")
    face, body = split(motion)
    if face is None and body is None:
        raise SpaceError(
            f"the house figure plays faces and bodies, not motion in {motion.space.name!r}"
        )
    if not SCRIPT.is_file():
        raise AssetError("this checkout has no built page; build it with 'make page'")
    parts = [
        _part("figure", gzip.compress(_figure(figure), 9, mtime=0), "data-packed"),
        _part("motion", gzip.compress(_motion(clip, figure), 9, mtime=0), "data-packed"),
    ]
    if clip.audio is not None and clip.audio.length:
        parts.append(_part("sound", _sound(clip.audio), 'data-type="audio/flac"'))
    # A script ends at the first "</script", wherever it stands.
    script = SCRIPT.read_text(encoding="utf-8").replace("</script", "<\\/script")
    facts = [str(clip.provenance.get(key)) for key in ("method",) if clip.provenance.get(key)]
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=html.escape(title),
        generator=html.escape(generator()),
        note=html.escape(NOTE.format(", ".join([generator(), *facts]))),
        view="front" if body is None else "body",
        parts="\n".join(parts),
        script=script,
    )


def _part(name: str, data: bytes, kind: str) -> str:
    text = base64.b64encode(data).decode("ascii")
    return f'<script type="application/octet-stream" id="{name}" {kind}>{text}</script>'


def _figure(name: str) -> bytes:
    from motet.export.gltf.container import pack_glb
    from motet.export.gltf.figure import figure_document
    from motet.export.gltf.house import house_parts

    return pack_glb(*figure_document(house_parts(name), None, "rest", {}).finished())


def _motion(clip: Clip, figure: str) -> bytes:
    motion = single_motion(clip, "talking page")
    return packed(motion.space.fps, *house_curves(motion, figure))


def _sound(audio: AudioSource) -> bytes:
    sound = audio.load()
    if sound.samples.shape[0] > 2:
        sound = to_mono(sound)
    if sound.sample_rate > HIGHEST_RATE:
        sound = resample(sound, HIGHEST_RATE)
    return encode_flac(sound.samples.clamp(-1, 1), sound.sample_rate, 16)
