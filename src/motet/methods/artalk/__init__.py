"""ARTalk: autoregressive next-scale prediction of bitwise motion tokens, conditioned on audio."""

from motet.method import MethodSpec, StreamingDelay


def _delay(
    commit: int, look_ahead: int, least_s: float, most_s: float, cost: float
) -> StreamingDelay:
    options = {"commit": commit, "look_ahead": look_ahead}
    return StreamingDelay(options, least_s, most_s, cost)


SPEC = MethodSpec(
    name="artalk",
    title="Face and head from speech: next-scale prediction of bitwise motion tokens",
    paper=(
        "Chu et al. 2025, ARTalk: Speech-Driven 3D Head Animation via Autoregressive Model,"
        " SIGGRAPH Asia 2025"
    ),
    output="motion",
    space="arkit",
    fps=25.0,
    sample_rate=16000,
    layout="mono",
    look_ahead_s=0.32,
    delays=(
        _delay(2, 5, 0.16, 0.20, 0.5),
        _delay(4, 7, 0.20, 0.32, 0.3),
        _delay(2, 12, 0.30, 0.34, 0.5),
        _delay(4, 25, 0.56, 0.68, 0.3),
    ),
    tolerance=1e-5,
    evaluation="face",
    config="motet.methods.artalk.config:ArtalkConfig",
    condition="motet.methods.artalk.config:ArtalkCondition",
    presets="motet.methods.artalk.config:PRESETS",
    method="motet.methods.artalk.generate:build",
    training_set="motet.training.training_sets:whisper_performances",
    stages="motet.methods.artalk.loss:stages",
    recipes="motet.methods.artalk.recipes:RECIPES",
    convert="motet.methods.artalk.state_dict:from_official",
    weights="artalk.safetensors",
    onnx="motet.methods.artalk.streaming.graph:stateful_graph",
)
