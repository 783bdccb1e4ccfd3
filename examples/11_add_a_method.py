"""A method of your own: three functions, and everything else comes from motet.

The method here opens the jaw with the loudness of the audio. As a package it would add to its
pyproject.toml

    [project.entry-points."motet.methods"]
    loudness = "my_package:SPEC"

where SPEC is a `motet.method.MethodSpec`; then `motet run -m loudness`, training and the contract
tests find it. `tests/toy_method` is a complete one.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

import motet
from motet.audio import resample, to_mono
from motet.method import Method
from motet.types import Audio, Motion, arkit_space, frame_count

RATE, FRAME = 16_000, 640  # 640 samples are one frame at 25 fps


@dataclasses.dataclass(frozen=True)
class Config:
    """Architecture; nothing to choose here."""


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a user may set (`--option gain=2`)."""

    gain: float = 4.0


@dataclasses.dataclass(frozen=True)
class State:
    """Everything a session remembers; it belongs to the caller."""

    condition: Condition
    buffer: torch.Tensor  # (batch, samples) that are not a whole frame yet
    samples_received: int = 0
    frames_emitted: int = 0


class LoudnessOpensTheJaw(Method[Config, Condition, State, Motion]):
    """Root mean square of each frame's samples, scaled, as `jawOpen`."""

    config, space = Config(), arkit_space()

    def begin(self, condition: Condition, seeds: Sequence[int]) -> State:
        """An empty state for a batch of len(seeds)."""
        return State(condition, torch.zeros(len(seeds), 0))

    def step(self, state: State, audio: Audio) -> tuple[Motion, State]:
        """All frames whose samples are complete; the rest waits in the state."""
        samples = torch.cat([state.buffer, audio.samples[:, 0]], dim=1)
        count = samples.shape[1] // FRAME
        return self._motion(samples[:, : count * FRAME], state), dataclasses.replace(
            state,
            buffer=samples[:, count * FRAME :],
            samples_received=state.samples_received + audio.samples.shape[-1],
            frames_emitted=state.frames_emitted + count,
        )

    def finish(self, state: State) -> Motion:
        """The remaining frames, so that all together are round(seconds * fps)."""
        missing = frame_count(state.samples_received / RATE, 25) - state.frames_emitted
        padded = torch.nn.functional.pad(state.buffer, (0, FRAME))[:, : max(0, missing) * FRAME]
        return self._motion(padded, state)

    def _motion(self, samples: torch.Tensor, state: State) -> Motion:
        frames = samples.unflatten(1, (samples.shape[1] // FRAME, FRAME))
        loudness = frames.square().mean(dim=2).sqrt()  # (batch, frames)
        values = torch.zeros(*loudness.shape, self.space.dim)
        jaw = self.space.index("blendshapes", "jawOpen")
        values[..., jaw] = (state.condition.gain * loudness).clamp(0, 1)
        return Motion(values, self.space)


method = LoudnessOpensTheJaw()
take = motet.run("examples/demo.flac")  # for its audio, and to compare with
audio = resample(to_mono(take.audio), RATE)
batch = dataclasses.replace(audio, samples=audio.samples.unsqueeze(0))

whole = method.run(batch, Condition(), seeds=[0])
chunks = (batch.slice(start, start + 1000) for start in range(0, batch.samples.shape[-1], 1000))
streamed = torch.cat([part.values for part in method.stream(chunks, Condition(), [0])], dim=1)
assert torch.equal(whole.values, streamed), "chunk size must not change the motion"

mine = dataclasses.replace(take, motion=Motion(whole.values[0], whole.space))
jaws = [each.motion.channel("blendshapes", "jawOpen") for each in (mine, take)]
print(f"correlation with artalk's jaw: {float(torch.corrcoef(torch.stack(jaws))[0, 1]):.2f}")
Path("out").mkdir(exist_ok=True)
print(mine.save("out/11_loudness.csv").resolve())
