"""The shipped figures: different people, drawn soundly, named everywhere from one table."""

import gzip
import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from motet.cli.export import Export
from motet.cli.render import Render
from motet.cli.run import Run
from motet.errors import ConfigError
from motet.export import write_clip
from motet.export.picture import check_written, picture_options
from motet.render.renderer import Renderer, Stage
from motet.rigs.figures import DEFAULT_FIGURE, FIGURES
from motet.rigs.house import load_figure, load_house
from motet.types import Clip

_SPEC = importlib.util.spec_from_file_location("poses", Path(__file__).parent / "poses.py")
poses = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(poses)


@pytest.fixture(scope="module")
def pictures():
    motion = poses.motion([{"jawOpen": 0.2}])
    return {
        name: next(Renderer(load_figure(name), 96, 96, workers=1).frames(motion)).astype(int)
        for name in FIGURES
    }


def test_figures_are_different_people(pictures):
    names = list(FIGURES)
    for k, name in enumerate(names):
        for other in names[k + 1 :]:
            assert np.abs(pictures[name] - pictures[other]).mean() > 4, (name, other)
    assert np.allclose(load_figure().vertices, load_house().vertices)
    assert names[0] == DEFAULT_FIGURE and len({look.hair for look in FIGURES.values()}) == 3


@pytest.mark.parametrize("name", FIGURES)
def test_no_vertex_leaves_the_body(name):
    figure = load_figure(name)
    offset = np.linalg.norm((figure.vertices - figure.rig.vertices).numpy(), axis=1)
    edges = np.linalg.norm(np.diff(figure.vertices.numpy()[figure.rig.quads], axis=1), axis=2)
    base = np.linalg.norm(np.diff(figure.rig.vertices.numpy()[figure.rig.quads], axis=1), axis=2)
    # An edge is at most four times as long as the mean person's, or short.
    assert (edges < np.maximum(4 * base, 0.02)).all() and offset.max() < 0.25


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("shapes", [poses.CLOSED[0], poses.CLOSED[4]])
def test_no_tooth_comes_through_closed_lips(name, shapes):
    renderer = Renderer(load_figure(name), 256, 256, workers=1)
    neutral, posed = renderer._pose(poses.motion([{}, {**shapes, "head": (0.0, 0.4, 0.0)}]))
    stage = Stage(renderer, neutral)
    stage.draw(*posed)
    seen = stage._depth.seen
    counts = np.bincount(renderer._scene.group[seen[seen >= 0]], minlength=256)
    regions = renderer._shaped.rig.region_names
    assert sum(counts[regions.index(part)] for part in ("teeth", "gums", "tongue")) <= 8


def test_files_are_small_enough_for_pages(tmp_path):
    clip = Clip(None, poses.motion([{}]))
    for name in FIGURES:
        data = write_clip(clip, tmp_path / f"{name}.glb", figure=name).read_bytes()
        assert len(gzip.compress(data)) < 2e6, name


def test_every_command_names_all_figures():
    for command in (Run, Render, Export):
        source = Path(importlib.import_module(command.__module__).__file__).read_text()
        assert all(name in source for name in FIGURES), command


def test_refusals(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'mira'"):
        picture_options(figure="mirra")
    with pytest.raises(ConfigError, match="--figure is for"):
        check_written([tmp_path / "a.csv"], picture_options(figure="jonas"), None)
    with pytest.raises(ConfigError, match="leave --figure out"):
        check_written([tmp_path / "a.glb"], picture_options(figure="jonas"), tmp_path / "b.vrm")
