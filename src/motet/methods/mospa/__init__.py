"""MOSPA: diffusion transformer from spatial audio to motion of a whole body."""

from motet.method import MethodSpec

SPEC = MethodSpec(
    name="mospa",
    title="Whole-body motion from spatial audio: guided diffusion, conditioned on source position",
    paper=(
        "Xu et al. 2025, MOSPA: Human Motion Generation Driven by Spatial Audio, NeurIPS 2025,"
        " arXiv 2507.11949"
    ),
    output="motion",
    space="smplx25",
    fps=30.0,
    sample_rate=30720,
    layout="binaural",
    look_ahead_s=8.0,
    tolerance=5e-4,  # retiming of what is too fast amplifies rounding
    evaluation="body",
    detects=True,
    config="motet.methods.mospa.config:MospaConfig",
    condition="motet.methods.mospa.config:MospaCondition",
    presets="motet.methods.mospa.config:PRESETS",
    method="motet.methods.mospa.generate:build",
    stages="motet.methods.mospa.stages:stages",
    recipes="motet.methods.mospa.recipes:RECIPES",
    training_set="motet.training.training_sets:bodies",
    convert="motet.methods.mospa.state_dict:from_official",
    weights="mospa.safetensors",
)
