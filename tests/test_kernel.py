import numpy as np

from motet import kernel as module


def test_kernels_compile_without_a_place_for_the_cache(monkeypatch):
    real, asked = module.njit, []

    def no_disk(**options):
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(module, "njit", no_disk)

    @module.kernel
    def double(values):
        for k in range(len(values)):
            values[k] *= 2

    numbers = np.arange(3.0)
    double(numbers)
    assert numbers.tolist() == [0, 2, 4] and [bool(options.get("cache")) for options in asked] == [
        True,
        False,
    ]
