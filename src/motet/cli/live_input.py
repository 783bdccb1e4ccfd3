"""Standard input of `motet live`: a WAV stream or raw samples."""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from motet.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from motet.audio.io.pcm import Encoding
    from motet.method import MethodSpec

RAW_RATE_HZ, RAW_CHANNELS = 16_000, 1
LONGEST_CHUNK = 1 << 20
"""Bytes of a header chunk that are skipped at most."""
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
"""Format tags of a WAV file."""
MARKS = (
    (0, b"fLaC", "a FLAC file"),
    (0, b"OggS", "an Ogg file"),
    (0, b"ID3", "an MP3 file"),
    (4, b"ftyp", "an MP4 file"),
    (0, b"\x1aE\xdf\xa3", "a Matroska file"),
)
"""Position and bytes by which files are known that are no samples."""
TEXT_BYTES = 256
"""Bytes of input that must all be characters before it is called text."""


class LiveInput:
    """Audio from a pipe, in pieces.

    Args:
        source: standard input.
        spec: the method.
        rate: sample rate that the user gave, Hz.
        channels: channels that the user gave.
        position: where one channel is rendered to binaural, AZ,EL,DIST; empty: not given.
        channel: the channel with the speech, from 1, of methods that take one; None: all.
    """

    def __init__(
        self,
        source: BinaryIO,
        spec: MethodSpec,
        rate: int | None,
        channels: int | None,
        position: str,
        channel: int | None = None,
    ) -> None:
        if rate is not None and not 1 <= rate <= 1_000_000:
            raise ConfigError(f"a sample rate lies between 1 and 1000000 Hz, not {rate}")
        if channels is not None and not 1 <= channels <= 64:
            raise ConfigError(f"channels must lie between 1 and 64, not {channels}")
        if channel is not None and spec.layout != "mono":
            raise ConfigError(f"{spec.name} takes {spec.layout} sound; leave --channel out")
        self._source, self._spec, self._position = _Prefixed(source), spec, position
        self._channel = channel
        self._given = {"rate": rate, "channels": channels}
        self._encoding: Encoding = "s16le"
        self._opened = False
        self.rate = rate or RAW_RATE_HZ
        self.channels = channels or RAW_CHANNELS
        if channels is not None:
            self._check_channels()

    def open(self) -> None:
        """Read the header, if there is one; a second call does nothing.

        Raises:
            AudioError: nothing, text or a compressed file instead of sound; a WAV stream of another
                encoding than 16-bit or float samples, or cut short.
            ConfigError: --rate or --channels contradict the header, or the method cannot use them.
        """
        if self._opened:
            return
        self._opened = True
        first = self._source.exactly(12)
        if first[:4] == b"RIFF" and first[8:] == b"WAVE":
            self._read_header()
        else:
            self._source.give_back(self._raw(first))
        self._check_channels()

    def _raw(self, first: bytes) -> bytes:
        """The first bytes of raw samples; anything that plainly is something else is refused."""
        if not first:
            raise AudioError("no sound came on standard input; send samples, or name --from FILE")
        kind = next((kind for at, mark, kind in MARKS if first[at : at + len(mark)] == mark), None)
        if kind is None and _is_text(first):
            # Twelve samples may look like letters by chance, so many do not.
            first += self._source.exactly(TEXT_BYTES - len(first))
            kind = "text" if _is_text(first) else None
        if kind is not None:
            raise AudioError(
                f"standard input holds {kind}; it takes raw samples or a WAV stream: read a file"
                " with --from FILE"
            )
        return first

    def chunks(self) -> Iterator[Tensor]:
        """Samples (channels, time) as they arrive, at the rate of the input."""
        from motet.audio.io.pcm import read_pcm

        pieces = read_pcm(self._source, self.rate, channels=self.channels, encoding=self._encoding)
        for piece in pieces:
            yield piece.samples

    def _check_channels(self) -> None:
        if self._channel is not None and not 1 <= self._channel <= self.channels:
            raise ConfigError(
                f"there is no channel {self._channel}: the input has {self.channels}; give its"
                " number of channels with --channels"
            )
        if self._spec.layout != "binaural" or self.channels == 2:
            return
        if self.channels != 1 or not self._position:
            raise ConfigError(
                f"{self._spec.name} needs binaural input: two channels (--channels 2), or one"
                " channel with its position (--source AZ,EL,DIST)"
            )

    def _read_header(self) -> None:
        """The chunks of a WAV stream up to its samples."""
        complete = False
        while True:
            name, size = struct.unpack("<4sI", self._whole(8))
            if name == b"data":
                break
            if size > LONGEST_CHUNK:
                raise AudioError("the WAV header on stdin is damaged; send raw samples instead")
            content = self._whole(size + size % 2)  # chunks are padded to even lengths
            if name == b"fmt ":
                self._read_format(content)
                complete = True
        if not complete:
            raise AudioError("the WAV header on stdin names no format; send raw samples instead")

    def _read_format(self, content: bytes) -> None:
        if len(content) < 16:
            raise AudioError("the WAV header on stdin is damaged; send raw samples instead")
        tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
        if tag == EXTENSIBLE and len(content) >= 26:
            tag = struct.unpack("<H", content[24:26])[0]
        if (tag, bits) not in ((PCM, 16), (FLOAT, 32)):
            raise AudioError(
                f"a WAV stream on stdin must have 16-bit or 32-bit float samples, this has format"
                f" {tag} with {bits} bits; convert it, e.g. ffmpeg -i IN -f wav -c:a pcm_s16le -"
            )
        for name, value in (("rate", rate), ("channels", channels)):
            if self._given[name] not in (None, value):
                raise ConfigError(
                    f"the WAV stream on stdin says {name} {value}, not {self._given[name]}; leave"
                    f" --{name} out"
                )
        self.rate, self.channels = rate, channels
        self._encoding = "s16le" if tag == PCM else "f32le"

    def _whole(self, count: int) -> bytes:
        data = self._source.exactly(count)
        if len(data) < count:
            raise AudioError("the WAV header on stdin is cut short; send raw samples instead")
        return data


def _is_text(data: bytes) -> bool:
    """Whether bytes are UTF-8 without control characters, the last character perhaps cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\t\r\n" for letter in text)


class _Prefixed:
    """A stream into which bytes that were read can be given back."""

    def __init__(self, source: BinaryIO) -> None:
        self._read: Callable[[int], bytes] = getattr(source, "read1", source.read)
        self._prefix = b""

    def give_back(self, data: bytes) -> None:
        """Bytes that the next `read1` returns."""
        self._prefix = data + self._prefix

    def read1(self, size: int) -> bytes:
        """What is there, at most `size` bytes; empty at the end."""
        if not self._prefix:
            return self._read(size)
        data, self._prefix = self._prefix[:size], self._prefix[size:]
        return data

    read = read1

    def exactly(self, size: int) -> bytes:
        """`size` bytes, fewer only at the end."""
        data = b""
        while len(data) < size and (more := self.read1(size - len(data))):
            data += more
        return data
