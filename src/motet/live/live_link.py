"""Live Link Face over UDP, as the iPhone application sends it to Unreal Engine.

A packet holds the version (6, little endian), a device id of 37 characters, the name of the
subject, the time as frame, fraction, rate and denominator (big endian), a count of 61, and 61
float32: 52 shapes (left before right for jaw and mouth, unlike the recordings), then the angles of
head and eyes with the signs of the recordings.
"""

from __future__ import annotations

import struct
import uuid

import numpy as np
from jaxtyping import Float

from motet.errors import SpaceError
from motet.export.live_link_csv import SHAPE_COLUMNS, curve_table
from motet.live.udp import UdpSender
from motet.types import Motion

DEFAULT_PORT = 11_111
"""Port on which Unreal's plug-in listens."""
SUBJECT = "motet"
VERSION, RATE = 6, 60
"""Version of the packet; rate of its time code."""
_SWAPPED = {"JawRight": "JawLeft", "JawLeft": "JawRight", "MouthRight": "MouthLeft",
            "MouthLeft": "MouthRight"}  # fmt: skip
PACKET_SHAPES: tuple[str, ...] = tuple(_SWAPPED.get(name, name) for name in SHAPE_COLUMNS)
"""The 52 shapes in the order of a packet."""
_ORDER = [
    *(SHAPE_COLUMNS.index(name) for name in PACKET_SHAPES),
    *range(len(SHAPE_COLUMNS), len(SHAPE_COLUMNS) + 9),
]


class LiveLinkSender:
    """Sends frames to one receiver.

    Args:
        host: of the receiver.
        port: of the receiver.
        subject: name under which Unreal lists the face.

    Raises:
        InputError: no such host.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = DEFAULT_PORT, subject: str = SUBJECT
    ) -> None:
        self._socket = UdpSender(host, port)
        self._subject, self._device = subject, f"${uuid.uuid4()}".upper()
        self._frames = 0

    def send(self, motion: Motion) -> None:
        """Send every frame of a face motion at once; the caller keeps the time.

        Raises:
            SpaceError: the motion is no face.
        """
        if motion.space.name != "arkit":
            raise SpaceError(f"Live Link Face takes a face (arkit), not {motion.space.name!r}")
        for row in curve_table(motion)[:, _ORDER]:
            seconds = self._frames / motion.space.fps
            self._frames += 1
            data = packet(row, seconds, self._subject, self._device)
            self._socket.send(data)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def packet(numbers: Float[np.ndarray, "61"], seconds: float, subject: str, device: str) -> bytes:
    """One packet.

    Args:
        numbers: in the order of a packet.
        seconds: time of the frame.
    """
    name = subject.encode()
    frame = int(seconds * RATE)
    fraction = seconds * RATE - frame
    return b"".join(
        (
            struct.pack("<I", VERSION),
            device.encode().ljust(37)[:37],
            struct.pack("!i", len(name)),
            name,
            struct.pack("!if2i", frame, fraction, RATE, 1),
            struct.pack("!B61f", len(numbers), *map(float, numbers)),
        )
    )
