"""Live sessions of a running studio: how old frames are, and how many come after their sound.

    motet serve --port 8420 &
    python benchmarks/live_sessions.py --sessions 8 --delay auto --seconds 60

Every session sends a recording in real time in pieces of 20 ms, over and over. The age of a frame
is the time from its sound's last sample being sent to its arrival; a frame is late when it is older
than the delay that the server advises. The drift is how far the sample that a frame is stamped with
lies from the frame's own time. `--speed 4` sends four times as fast: for drift and memory of long
sessions, whose ages then mean nothing. With `--server-pid` the server's memory and its CPU seconds
for a second of one session are reported too. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from pathlib import Path

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from motet.audio import read_audio, resample, to_mono
from motet.live.packets import read_frames

RATE, PIECE_S = 16_000, 0.02


class Session:
    """One speaker.

    Args:
        samples: 16-bit sound, sent again from its beginning when it ends.
        seconds: how much sound it sends.
        speed: seconds of sound sent in a second.
    """

    def __init__(self, samples: np.ndarray, seconds: float, speed: float = 1.0) -> None:
        self._samples, self._seconds, self._speed = samples, seconds, speed
        self.ages_s: list[float] = []
        self.drifts_s: list[float] = []
        self.advice_s = 0.0
        self.fps = 25.0
        self._began_s = 0.0

    async def run(self, address: str, delay: str) -> None:
        """Speak, and note the age of each frame."""
        async with connect(address, subprotocols=["motet.live.1"], max_size=None) as socket:  # type: ignore[list-item]  # a name
            expected = delay if delay == "auto" else float(delay)
            hello = {"type": "hello", "rate": RATE, "avatar": "raw", "delay_s": expected}
            await socket.send(json.dumps(hello))
            ready = json.loads(await socket.recv())
            if ready["type"] != "ready":
                raise SystemExit(f"refused: {ready}")
            self.advice_s, self.fps = ready["delay_s"]["advice"], ready["fps"]
            reading = asyncio.create_task(self._read(socket))
            await self._speak(socket)
            await asyncio.sleep(1.0)
            reading.cancel()

    async def _speak(self, socket: ClientConnection) -> None:
        piece = round(PIECE_S * RATE)
        self._began_s = time.monotonic()
        for number in range(round(self._seconds / PIECE_S)):
            place = np.arange(number * piece, (number + 1) * piece) % len(self._samples)
            wait_s = self._began_s + (number + 1) * PIECE_S / self._speed - time.monotonic()
            await asyncio.sleep(max(0.0, wait_s))
            await socket.send(self._samples[place].tobytes())

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            if isinstance(message, bytes):
                now_s = time.monotonic() - self._began_s
                first, sample, table = read_frames(message)
                self.drifts_s.append(abs(sample / RATE - first / self.fps))
                for frame in range(len(table)):
                    self.ages_s.append(now_s - sample / RATE - frame / self.fps)


def family(process: int) -> list[int]:
    """A process and all that it started; none for 0."""
    if not process:
        return []
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(one for child in children for one in family(int(child)))]


def megabytes(process: int) -> float:
    """Memory of a process and of those that it started."""
    pages = (int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in family(process))
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_s(process: int) -> float:
    """CPU seconds of a process and of those that it started, in programs and in the kernel."""
    ticks = 0
    for one in family(process):
        # After the name in brackets: fields 14 and 15 of proc(5), counted from field 3.
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def measure(options: argparse.Namespace) -> dict[str, object]:
    """All sessions at once."""
    sound = resample(to_mono(read_audio(options.recording)), RATE).samples[0].numpy()
    samples = (sound.clip(-1, 1) * 32767).astype("<i2")
    sessions = [Session(samples, options.seconds, options.speed) for _ in range(options.sessions)]
    before, cpu_before_s = megabytes(options.server_pid), cpu_s(options.server_pid)
    address = f"ws://127.0.0.1:{options.port}/live"
    await asyncio.gather(*(one.run(address, options.delay) for one in sessions))
    ages = np.concatenate([one.ages_s for one in sessions])
    drifts = np.concatenate([one.drifts_s for one in sessions])
    late = sum(age > one.advice_s for one in sessions for age in one.ages_s)
    return {
        "sessions": options.sessions,
        "delay": options.delay,
        "advice_s": sessions[0].advice_s,
        "frames": len(ages),
        "expected": round(options.sessions * options.seconds * sessions[0].fps),
        "age_p50_s": round(float(np.median(ages)), 3),
        "age_p95_s": round(float(np.quantile(ages, 0.95)), 3),
        "late": int(late),
        "drift_p95_ms": round(1e3 * float(np.quantile(drifts, 0.95)), 2),
        "cpu_s_per_session_s": round(
            (cpu_s(options.server_pid) - cpu_before_s) / (options.sessions * options.seconds), 3
        ),
        "server_mb": [round(before), round(megabytes(options.server_pid))],
        "load": [round(value, 1) for value in os.getloadavg()],
    }


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, default=Path("examples/demo.flac"))
    parser.add_argument("--port", type=int, default=8420)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--delay", default="auto", help="seconds, or auto")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--speed", type=float, default=1.0, help="seconds of sound in a second")
    parser.add_argument("--server-pid", type=int, default=0, help="its memory and CPU are reported")
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
