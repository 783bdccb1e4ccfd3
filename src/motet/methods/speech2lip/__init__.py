"""Speech2Lip: implicit image model of one person's mouth, trained on minutes of footage."""

from motet.method import MethodSpec

SPEC = MethodSpec(
    name="speech2lip",
    title="Video of one person from speech: their own mouth, from minutes of footage",
    paper=(
        "Wu et al. 2023, Speech2Lip: High-fidelity Speech to Lip Generation by Learning from a"
        " Short Video, ICCV"
    ),
    output="frames",
    space="",
    fps=25.0,
    sample_rate=16000,
    layout="mono",
    look_ahead_s=0.36,
    tolerance=1.01 / 255,
    evaluation="person",
    config="motet.methods.speech2lip.config:Speech2LipConfig",
    condition="motet.methods.speech2lip.config:Speech2LipCondition",
    presets="motet.methods.speech2lip.config:PRESETS",
    method="motet.methods.speech2lip.generate:build",
    stages="motet.methods.speech2lip.stages:stages",
    convert="motet.methods.speech2lip.state_dict:from_official",
    example="motet.methods.speech2lip.stages:example",
    weights="speech2lip.safetensors",
    person_weights="motet.methods.speech2lip.person.folder:trained_weights",
)
