"""A session of MOSPA: what is kept between windows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from motet.body.source_path import SourcePath, parse_source
from motet.errors import ConfigError
from motet.methods.mospa.config import MospaCondition, MospaConfig
from motet.methods.mospa.item_progress import ItemProgress
from motet.methods.mospa.start_pose import StartPose, read_start, standing_start
from motet.methods.mospa.windows import SamplingConfig
from motet.streaming.streaming_method import StreamState


@dataclasses.dataclass(frozen=True, kw_only=True)
class MospaState(StreamState):
    """A session."""

    condition: MospaCondition
    sampling: SamplingConfig
    path: SourcePath | None
    """Source position; None: estimated from both channels in each window."""
    start: StartPose | None
    """The first frame; None: generated too, as published."""
    items: tuple[ItemProgress, ...] = ()
    """One for each item of the batch."""
    listens_only: bool = False
    """Sounds are found, but nothing is generated: all frames are zero."""

    @property
    def role(self) -> str:
        """Whether the figure listens or speaks itself."""
        role = self.condition.role
        return "listener" if role == "default" else role

    @property
    def attends(self) -> bool:
        """Whether the figure reacts to what it hears."""
        return self.role == "listener"


def session_source(condition: MospaCondition) -> SourcePath | None:
    """Positions of the source that the user gave.

    Raises:
        ConfigError: a path that the source mode cannot use.
        AssetError: a path that cannot be read.
    """
    path = parse_source(condition.source)
    if condition.source_mode == "oracle" and (path is None or not path.local):
        raise ConfigError(
            "source_mode oracle needs a SAM sequence (.npz with sound_source) as source: only"
            " there the true path is known"
        )
    if path is not None and path.local and condition.source_mode != "oracle":
        raise ConfigError(
            "rows seen from a pelvis need source_mode oracle; give the position in the world,"
            " AZ,EL,DIST"
        )
    return path


def session_start(condition: MospaCondition, config: MospaConfig) -> StartPose | None:
    """The first frame. Published models generate it, unless one is given.

    Raises:
        AssetError: a file without a pose.
    """
    if condition.start:
        return read_start(Path(condition.start))
    return standing_start() if config.guessing else None
