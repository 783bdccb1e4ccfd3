"""A stream from the ONNX file of `motet weights onnx artalk -o artalk.onnx`, by ONNX Runtime alone:
python examples/onnx/stream.py artalk.onnx examples/demo.flac
"""

import sys

import numpy as np
import onnxruntime
import soundfile

session = onnxruntime.InferenceSession(sys.argv[1])
sound, _ = soundfile.read(sys.argv[2], dtype="float32")  # 16 kHz, mono
facts, inputs = session.get_modelmeta().custom_metadata_map, session.get_inputs()
kinds = {"tensor(int64)": np.int64, "tensor(float)": np.float32}
state = {x.name: np.zeros(x.shape, kinds[x.type]) for x in inputs[2:]}
chunk, noise, frames = inputs[0].shape[0], np.random.default_rng(0), []
total = round(len(sound) / 16_000 * float(facts["fps"]))
sound = np.pad(sound, (0, 4 * chunk - len(sound) % chunk))  # silence brings out the last frames
for start in range(0, len(sound), chunk):
    drawn = noise.random(inputs[1].shape, np.float32)
    feed = {"sound": sound[start : start + chunk], "noise": drawn, **state}
    motion, count, *after = session.run(None, feed)
    state = dict(zip(state, after, strict=True))
    frames.extend(motion[:count])
frames, names = np.array(frames[:total]), facts["channels"].split(",")
opening = [names.index(name) for name in facts["opening"].split(",")]
frames[:3, opening] *= np.sin([[0], [np.pi / 6], [np.pi / 3]]) ** 2  # from closed lips, as motet
print(f"{len(frames)} frames; jawOpen to {frames[:, names.index('jawOpen')].max():.2f}")
