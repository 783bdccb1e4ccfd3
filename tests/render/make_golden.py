"""Draw the reference pictures anew: `python tests/render/make_golden.py`. Look at them before
committing."""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from poses import GOLDEN, motion  # noqa: E402

from motet.render.renderer import Renderer  # noqa: E402
from motet.rigs.house import load_house  # noqa: E402

SIZE = 96

if __name__ == "__main__":
    pictures = {
        "head": np.stack(
            list(Renderer(load_house(), SIZE, SIZE).frames(motion(list(GOLDEN.values()))))
        )
    }
    pictures["body"] = np.stack(
        list(Renderer(load_house(), SIZE // 2, SIZE, "body").frames(motion([{}])))
    )
    np.savez_compressed(HERE / "golden.npz", allow_pickle=False, **pictures)
