"""Frames while the audio arrives: how many come when, and that nothing is lost.

A stream takes chunks of any length in the method's own sample rate. Chunking never changes the
motion.
"""

import motet
from motet.audio import read_audio, resample, to_mono

RATE, CHUNK_S = 16_000, 0.02

audio = resample(to_mono(read_audio("examples/demo.flac")), RATE)
# A smaller look-ahead shortens the delay and costs a little quality.
stream = motet.stream("artalk", seed=3, options={"look_ahead": 4})

frames, chunk = 0, round(CHUNK_S * RATE)
for start in range(0, audio.samples.shape[-1], chunk):
    for motion in stream.push(audio.slice(start, start + chunk)):
        now = (start + chunk) / RATE
        delay = now - frames / motion.space.fps
        print(f"{now:5.2f} s of audio: {motion.frames:2d} frames, the oldest {delay:.2f} s late")
        frames += motion.frames
for motion in stream.finish():  # the frames that still waited for look-ahead
    print(f"   the end: {motion.frames:2d} frames")
    frames += motion.frames

whole = motet.run(audio, seed=3, options={"look_ahead": 4})
assert frames == whole.motion.frames
