"""A sixth method in a hundred lines: loudness opens the jaw. The suite loads it like any other."""

from motet.method import MethodSpec

SPEC = MethodSpec(
    name="toy",
    title="Loudness opens the jaw: the documented example of a method",
    paper="none",
    output="motion",
    space="arkit",
    fps=25.0,
    sample_rate=16000,
    layout="mono",
    look_ahead_s=0.04,
    tolerance=1e-6,
    evaluation="face",
    config="tests.toy_method.config:ToyConfig",
    condition="tests.toy_method.config:ToyCondition",
    presets="tests.toy_method.config:PRESETS",
    method="tests.toy_method.generate:build",
    stages="tests.toy_method.loss:stages",
    example="tests.toy_method.loss:example",
    training_set="tests.toy_method.loss:read_training_set",
)
