"""KMTalk: key-motion regression at phone boundaries, then cross-modal completion."""

from motet.method import MethodSpec

SPEC = MethodSpec(
    name="kmtalk",
    title="Face from speech: key motions at phone boundaries, then cross-modal completion",
    paper=(
        "Xu et al. 2024, KMTalk: Speech-Driven 3D Facial Animation with Key Motion Embedding, ECCV"
        " 2024"
    ),
    output="motion",
    space="arkit",
    fps=25.0,
    sample_rate=16000,
    layout="mono",
    look_ahead_s=float("inf"),
    whole_recording="its key frames come from the phones of the whole recording",
    tolerance=1e-5,
    evaluation="face",
    deterministic=True,
    config="motet.methods.kmtalk.config:KMTalkConfig",
    condition="motet.methods.kmtalk.config:KMTalkCondition",
    presets="motet.methods.kmtalk.config:PRESETS",
    method="motet.methods.kmtalk.generate:build",
    stages="motet.methods.kmtalk.loss:stages",
    recipes="motet.methods.kmtalk.recipes:RECIPES",
    training_set="motet.training.training_sets:meshes_or_performances",
    weights="kmtalk.safetensors",
)
