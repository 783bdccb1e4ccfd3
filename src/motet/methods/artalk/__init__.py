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
    look_ahead_s=0.26,
    delays=(
        _delay(2, 3, 0.14, 0.16, 0.6),
        _delay(3, 6, 0.18, 0.26, 0.4),
        _delay(8, 12, 0.30, 0.58, 0.2),
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
