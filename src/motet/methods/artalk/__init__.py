"""ARTalk: autoregressive next-scale prediction of bitwise motion tokens, conditioned on audio."""

from motet.method import MethodSpec

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
    look_ahead_s=1.07,
    tolerance=1e-5,
    evaluation="face",
    config="motet.methods.artalk.config:ArtalkConfig",
    condition="motet.methods.artalk.config:ArtalkCondition",
    presets="motet.methods.artalk.config:PRESETS",
    method="motet.methods.artalk.generate:build",
    training_set="motet.training.training_sets:whisper_performances",
    stages="motet.methods.artalk.loss:stages",
    convert="motet.methods.artalk.state_dict:from_official",
    weights="artalk.safetensors",
)
