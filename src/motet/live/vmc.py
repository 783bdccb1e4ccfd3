"""VMC (Virtual Motion Capture protocol): OSC messages over UDP for VSeeFace, VNyan, Warudo, Unity.

Blend shapes go by their ARKit names ("perfect sync") and, for avatars that lack them, by the VRM
vowels and blinks; the head's rotation by the bones `Neck` and `Head`. The protocol uses Unity's
left-handed axes: x and the rotations about y and z change sign.
"""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import numpy as np

from motet.errors import SpaceError, require
from motet.export.curves import quaternions_from_axis_angle
from motet.export.gltf.bones import NECK_SHARE
from motet.export.gltf.visemes import fit_visemes
from motet.live.udp import UdpSender
from motet.types import ARKIT_SHAPES, Motion

DEFAULT_PORT = 39_539
"""Port on which VMC receivers (marionettes) listen."""
VOWELS = {"aa": "A", "I": "I", "U": "U", "E": "E", "O": "O"}
"""Oculus vowels and the names of VRM 0 under which receivers know them."""
_UNITY = np.array([1.0, -1.0, -1.0, 1.0])
"""Quaternion x y z w in mirrored axes."""
IN_A_PACKET = 24
"""Messages in a bundle: with more it would not fit into one packet of most networks."""
AVAILABLE, CALIBRATED = 1, 3
"""State of the sender: running, calibrated."""


class VmcSender:
    """Sends frames to one receiver.

    Args:
        host: of the receiver.
        port: of the receiver.

    Raises:
        MissingDependency: the package `python-osc` is not installed.
        InputError: no such host.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> None:
        self._bundles: ModuleType = require("pythonosc.osc_bundle_builder", "live")
        self._messages: ModuleType = require("pythonosc.osc_message_builder", "live")
        self._socket = UdpSender(host, port)
        self._began_s = time.monotonic()

    def send(self, motion: Motion) -> None:
        """Send every frame of a face motion at once; the caller keeps the time.

        Raises:
            SpaceError: the motion is no face.
        """
        if motion.space.name != "arkit":
            raise SpaceError(f"VMC takes a face (arkit), not {motion.space.name!r}")
        weights = {
            name: motion.channel("blendshapes", name).double().cpu().numpy()
            for name in ARKIT_SHAPES
        }
        vowels = fit_visemes(weights, tuple(VOWELS), motion.space.fps)
        blink = np.stack([weights["eyeBlinkLeft"], weights["eyeBlinkRight"]])
        named = {
            **{name[0].upper() + name[1:]: curve for name, curve in weights.items()},
            **{VOWELS[name]: curve for name, curve in vowels.items()},
            "Blink_L": blink[0],
            "Blink_R": blink[1],
        }
        head = motion["head"].double().cpu().numpy()
        neck = _UNITY * quaternions_from_axis_angle(NECK_SHARE * head)
        skull = _UNITY * quaternions_from_axis_angle((1 - NECK_SHARE) * head)
        for frame in range(motion.frames):
            bones = {"Neck": neck[frame], "Head": skull[frame]}
            self._send_frame({name: curve[frame] for name, curve in named.items()}, bones)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send_frame(self, weights: dict[str, float], bones: dict[str, np.ndarray]) -> None:
        messages = [
            self._message("/VMC/Ext/OK", AVAILABLE, CALIBRATED, 0, 1),
            self._message("/VMC/Ext/T", time.monotonic() - self._began_s),
            *(self._message("/VMC/Ext/Bone/Pos", name, 0.0, 0.0, 0.0, *map(float, turn))
              for name, turn in bones.items()),
            *(self._message("/VMC/Ext/Blend/Val", name, float(value))
              for name, value in weights.items()),
            self._message("/VMC/Ext/Blend/Apply"),
        ]  # fmt: skip
        for start in range(0, len(messages), IN_A_PACKET):
            bundle = self._bundles.OscBundleBuilder(self._bundles.IMMEDIATELY)
            for message in messages[start : start + IN_A_PACKET]:
                bundle.add_content(message)
            self._socket.send(bundle.build().dgram)

    def _message(self, address: str, *values: str | int | float) -> Any:
        builder = self._messages.OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        return builder.build()
