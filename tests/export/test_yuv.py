import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from motet.export.yuv import yuv420


def split(planes: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    luma, chroma = (
        planes[:height].astype(float),
        planes[height:].reshape(2, height // 2, width // 2).astype(float),
    )
    return luma, chroma[0], chroma[1]


def test_numbers_follow_the_standard() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (34, 52, 3), np.uint8)
    luma, blue, red = split(yuv420(rgb), 34, 52)
    value = rgb / 255
    y = value @ (0.2126, 0.7152, 0.0722)
    mean = value.reshape(17, 2, 26, 2, 3).mean((1, 3))
    mean_y = mean @ (0.2126, 0.7152, 0.0722)
    assert np.abs(luma - (16 + 219 * y)).max() < 0.51
    assert np.abs(blue - (128 + 224 * (mean[..., 2] - mean_y) / 1.8556)).max() < 0.51
    assert np.abs(red - (128 + 224 * (mean[..., 0] - mean_y) / 1.5748)).max() < 0.51


@pytest.mark.parametrize(
    "colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (12, 200, 90)]
)
def test_even_areas_are_as_the_general_converter_makes_them(colour: tuple[int, int, int]) -> None:
    rgb = np.full((16, 32, 3), colour, np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    frame = frame.reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
    assert np.abs(yuv420(rgb).astype(int) - frame.to_ndarray().astype(int)).max() <= 1
