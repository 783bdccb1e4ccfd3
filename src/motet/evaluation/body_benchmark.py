"""The table of MOSPA on SAM: a method, or a folder of predictions, on a split of the data set.

FID, R-precision and diversity compare features of the authors' two networks, which are the user's
file; joint distances need none. As published: the first eight seconds of every sequence that is
as long, the recorded source as condition, 31 distractors, 64 pairs, 32 repeats. Joints stand on
the skeleton of this package, because SMPL-X is not shipped: the report says so.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_arrays
from motet.body.feature_vector import encode_body
from motet.body.skeleton import body_motion, local_rotations, pose_body
from motet.checkpoint import load_strict, read_official
from motet.config import JsonValue
from motet.data.readers.sam import KEPT, Sam, cached_features
from motet.errors import AssetError, CheckpointError, ConfigError, InputError
from motet.evaluation.body_features import (
    CONDITION,
    ConditionFeatures,
    MotionFeatures,
    official_names,
)
from motet.evaluation.report import Report, Score
from motet.export import read_take
from motet.geometry.rotation import matrix_from_axis_angle
from motet.loaded_method import LoadedMethod, Options
from motet.metrics import body
from motet.types import SMPLX25_JOINTS, Audio, Motion

FRAMES, FPS = 240, 30.0
"""Of every sequence: one window of the published model."""
GENRES = ("dull", "neutral", "sensitive")
REAL = "real motion"
"""Name of the row of the recordings themselves, which brackets the others."""


@dataclasses.dataclass(frozen=True)
class BodyCase:
    """The first eight seconds of one test sequence, 30 frames a second."""

    name: str
    genre: int
    audio: Audio
    motion: Motion
    vector: Float[Tensor, "frames dim"]
    """Feature vector with velocities of the recording's 120 frames a second."""
    source_file: Path
    conditions: Float[Tensor, "frames columns"] | None = None
    """Audio columns, unit source and genre; None without feature networks."""


BodyPredictor = Callable[[BodyCase], Motion]


@dataclasses.dataclass(frozen=True)
class FeatureNetworks:
    """The two networks whose features are compared."""

    condition: ConditionFeatures
    motion: MotionFeatures
    digest: str

    @torch.no_grad()
    def of_motion(self, vector: Float[Tensor, "frames dim"]) -> Float[Tensor, " feature"]:
        """Features of one motion."""
        return self.motion(vector.unsqueeze(0))[0]

    @torch.no_grad()
    def of_condition(self, columns: Float[Tensor, "frames columns"]) -> Float[Tensor, " feature"]:
        """Features of one sound with its source and genre."""
        return self.condition(columns.unsqueeze(0))[0]


def read_feature_networks(path: Path) -> FeatureNetworks:
    """The authors' file `weights_<epoch>.pt` of the feature networks; sizes follow its tensors.

    Raises:
        CheckpointError: without both state dicts, or of another architecture.
    """
    stored = read_official(path)
    states = []
    for key in ("audio_extractor_state_dict", "motion_extractor_state_dict"):
        state = stored.get(key)
        if not isinstance(state, dict):
            raise CheckpointError(
                f"{path} is not a file of MOSPA's feature networks: it has no {key}; give"
                " weights_<epoch>.pt of the authors' extractor"
            )
        states.append(official_names(state))
    try:
        # The file's embedding is of the sound alone; source and genre go past it.
        columns = states[0]["audio_embedder.weight"].shape[1] + CONDITION
        networks = (
            ConditionFeatures(columns, *_recurrent_sizes(states[0])),
            MotionFeatures(*_recurrent_sizes(states[1])),
        )
        for network, state in zip(networks, states, strict=True):
            load_strict(network, state)
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"{path} lacks the tensor {error} of a feature network") from error
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    return FeatureNetworks(networks[0].eval(), networks[1].eval(), digest)


def _recurrent_sizes(state: Mapping[str, Tensor]) -> tuple[int, int]:
    """Width and layers of the GRU `encoder`."""
    hidden = state["encoder.weight_hh_l0"].shape[1]
    layers = sum(f"encoder.weight_hh_l{k}" in state for k in range(len(state)))
    return hidden, layers


def sam_cases(folder: Path, split: str, networks: FeatureNetworks | None) -> Iterator[BodyCase]:
    """Sequences of a split that last eight seconds, by their names.

    Raises:
        AssetError: not in SAM's layout, or a damaged file.
        InputError: no such split.
    """
    data = Sam(folder)
    for name in sorted(data.names(split)):
        recorded = data.read(name)
        # Rows at 120 fps; every fourth is a frame.
        if len(recorded.root) < KEPT * FRAMES:
            continue
        conditions = None
        if networks is not None:
            columns = cached_features(data, name, "binaural", data.folder / "features" / "binaural")
            # the unit direction, as the networks were trained on
            source = torch.nn.functional.normalize(recorded.source[::KEPT][:FRAMES].float(), dim=-1)
            genre = torch.full((FRAMES, 1), float(recorded.genre))
            conditions = torch.cat([columns[:FRAMES], source, genre], -1)  # (frames, 2276)
        audio = data.audio(name)
        vector = encode_body(recorded.root, recorded.rotations)[::KEPT][:FRAMES]
        yield BodyCase(
            name,
            recorded.genre,
            audio.slice(0, round(FRAMES / FPS * audio.sample_rate)),
            recorded.motion().slice(0, FRAMES),
            vector.float(),
            data.folder / "motion" / f"{name}.npz",
            conditions,
        )


def method_body_predictor(
    loaded: LoadedMethod[Motion], options: Options, seed: int
) -> BodyPredictor:
    """A method's motion for the recorded genre and source.

    Raises:
        ConfigError: the method moves no body.
    """
    if loaded.spec.space != "smplx25":
        raise ConfigError(
            f"{loaded.name} generates {loaded.spec.space or 'pictures'}; the benchmark sam is for"
            " bodies (mospa)"
        )

    def predict(case: BodyCase) -> Motion:
        published = {
            "genre": GENRES[case.genre],
            "source": str(case.source_file),
            # `oracle`: the recorded position in every frame, as published
            "source_mode": "oracle",
        }
        return loaded.run(case.audio, {**published, **options}, seeds=(seed,)).item(0)

    return predict


def folder_body_predictor(folder: Path) -> BodyPredictor:
    """Predictions from files NAME.npz: takes of this package, or the arrays that the authors'
    program saves: `position` (frames, 25, 3) in metres and `rotation` (frames, 25, 3) axis-angle.

    Raises:
        AssetError: not a folder.
    """
    if not folder.is_dir():
        raise AssetError(f"{folder} is not a folder of predictions (NAME.npz, one a sequence)")

    def predict(case: BodyCase) -> Motion:
        path = folder / f"{case.name}.npz"
        if not path.is_file():
            raise AssetError(f"{folder} has no prediction of {case.name}: no file {path.name}")
        stored = read_arrays(path, ("position", "rotation"))
        if len(stored) == 2:
            return _of_arrays(path, stored)
        motion = read_take(path).motion
        if motion is None or motion.space.name != "smplx25":
            raise AssetError(
                f"{path} holds no body: neither a take of one nor 'position' and 'rotation'"
            )
        return motion.at(FPS)

    return predict


def _of_arrays(path: Path, stored: Mapping[str, np.ndarray]) -> Motion:
    position, rotation = (
        torch.from_numpy(np.asarray(stored[key], np.float32)) for key in ("position", "rotation")
    )
    joints = len(SMPLX25_JOINTS)
    if position.shape != rotation.shape or position.shape[1:] != (joints, 3):
        raise AssetError(
            f"{path}: position {tuple(position.shape)} and rotation {tuple(rotation.shape)} must"
            f" both be (frames, {joints}, 3)"
        )
    # The other joints follow from the rotations, as in the published evaluation.
    return body_motion(position[:, 0], matrix_from_axis_angle(rotation), FPS)


@dataclasses.dataclass
class _Pool:
    """Features and joints of one row, sequence by sequence."""

    features: list[Tensor] = dataclasses.field(default_factory=list)
    joints: list[Tensor] = dataclasses.field(default_factory=list)


def evaluate_body_benchmark(
    cases: Iterator[BodyCase],
    subjects: Mapping[str, BodyPredictor],
    networks: FeatureNetworks | None,
    seed: int = 0,
    report: Callable[[str, int], None] | None = None,
) -> Report:
    """The table; scores that need more sequences than there are (R-precision 32, diversity 64,
    FID and APD 2) are left out.

    Args:
        networks: None for joint distances alone.
        seed: of the random draws of R-precision and diversity, the same for all rows.

    Raises:
        InputError: no sequence, or a prediction that is too short.
    """
    pools = {name: _Pool() for name in (REAL, *subjects)}
    conditions: list[Tensor] = []
    for case in cases:
        _gather(pools[REAL], case.motion, case.vector, networks)
        for name, predictor in subjects.items():
            motion = predictor(case)
            if motion.frames < FRAMES:
                raise InputError(
                    f"{case.name}: {name} predicts {motion.frames} frames, the benchmark compares"
                    f" {FRAMES}"
                )
            motion = motion.slice(0, FRAMES)
            # Differences of rows at 30 fps, as the released program encodes predictions.
            vector = encode_body(motion["root"], local_rotations(motion))
            _gather(pools[name], motion, vector.float(), networks)
        if networks is not None and case.conditions is not None:
            conditions.append(networks.of_condition(case.conditions))
        if report is not None:
            report(case.name, len(pools[REAL].joints))
    count = len(pools[REAL].joints)
    if not count:
        raise InputError(f"no sequence of the split lasts {FRAMES / FPS:g} s")
    facts: dict[str, JsonValue] = {
        "benchmark": "sam",
        "sequences": count,
        "frames": count * FRAMES,
        "skeleton": "of motet, not SMPL-X",
        "feature networks": "none" if networks is None else f"#{networks.digest}",
    }
    rows = {}
    for name, pool in pools.items():
        scores, widths = _feature_scores(pool, pools[REAL], conditions, seed)
        rows[name] = (*scores, *_joint_scores(pool, pools[REAL]))
        if widths:
            facts[f"95 % half-widths of {name}"] = widths
    return Report(rows, facts)


def _gather(pool: _Pool, motion: Motion, vector: Tensor, networks: FeatureNetworks | None) -> None:
    pool.joints.append(pose_body(motion).positions.float())
    if networks is not None:
        pool.features.append(networks.of_motion(vector))


def _joint_scores(pool: _Pool, real: _Pool) -> Iterator[Score]:
    """MPJPE and its kinds against the recordings, and the spread of the row itself."""
    made, truth = torch.stack(pool.joints), torch.stack(real.joints)  # (items, frames, joints, 3)
    count = len(made)
    if count > 1:
        yield Score("apd", "sam", body.apd(made), count)
    if pool is real:
        return
    for metric, score in (
        ("mpjpe", body.mpjpe),
        ("mpjpe_centred", body.mpjpe_centred),
        ("mpjpe_root", body.mpjpe_root),
    ):
        yield Score(metric, "sam", score(truth, made), count)


def _feature_scores(
    pool: _Pool, real: _Pool, conditions: Sequence[Tensor], seed: int
) -> tuple[list[Score], str]:
    """Scores of the features, and half-widths of the repeated ones as text."""
    count = len(pool.features)
    if count < 2:
        return [], ""
    made, truth = torch.stack(pool.features), torch.stack(real.features)  # (items, features)
    scores = [Score("fid", "sam", body.fid(truth, made), count)]
    widths, draws = [], torch.Generator().manual_seed(seed)
    repeated: dict[str, Tensor] = {}
    if count > body.DISTRACTORS:
        top = torch.stack(
            # condition to motion, `DISTRACTORS` wrong motions beside each right one
            [
                body.r_precision(
                    torch.stack(list(conditions)), made, body.draw_distractors(count, draws)
                )
                for _ in range(body.REPEATS)
            ]
        )  # (repeats, 3)
        repeated |= {f"r_precision_{rank + 1}": top[:, rank] for rank in range(3)}
    if count >= body.DIVERSITY_TIMES:
        spread = [
            body.body_diversity(made, body.draw_pairs(count, draws)) for _ in range(body.REPEATS)
        ]
        repeated["body_diversity"] = torch.tensor(spread, dtype=torch.float64)
    for metric, values in repeated.items():
        scores.append(Score(metric, "sam", float(values.mean()), count))
        widths.append(f"{metric} {body.half_width(values):.3g}")
    return scores, ", ".join(widths)
