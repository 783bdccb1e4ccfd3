"""DiffPoseTalk: diffusion transformer from speech to face and head, with style conditioning."""

from motet.method import MethodSpec

SPEC = MethodSpec(
    name="diffposetalk",
    title="Face and head from speech: guided diffusion, a new take per seed, style from a clip",
    paper=(
        "Sun et al. 2024, DiffPoseTalk: Speech-Driven Stylistic 3D Facial Animation and Head Pose"
        " Generation via Diffusion Models, ACM TOG 43(4)"
    ),
    output="motion",
    space="arkit",
    fps=25.0,
    sample_rate=16000,
    layout="mono",
    look_ahead_s=2.5,
    tolerance=1e-5,
    evaluation="face",
    config="motet.methods.diffposetalk.config:DiffPoseTalkConfig",
    condition="motet.methods.diffposetalk.config:DiffPoseTalkCondition",
    presets="motet.methods.diffposetalk.config:PRESETS",
    method="motet.methods.diffposetalk.generate:build",
    training_set="motet.training.training_sets:flame_or_performances",
    stages="motet.methods.diffposetalk.stages:stages",
    recipes="motet.methods.diffposetalk.recipes:RECIPES",
    weights="diffposetalk.safetensors",
    convert="motet.methods.diffposetalk.state_dict:from_official",
)
