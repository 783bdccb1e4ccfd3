"""`motet eval --benchmark`: the tables of papers from the user's copy of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motet.cli.paths import check_files, check_folder
from motet.errors import ConfigError, nearest
from motet.evaluation.benchmark_units import BENCHMARKS, UNITS
from motet.options import changed

if TYPE_CHECKING:
    from motet.cli.eval import Eval
    from motet.evaluation.benchmarks import Predictor
    from motet.evaluation.report import Report
    from motet.metrics.regions import Region
    from motet.rigs.flame import Flame

REGIONS = ("lips", "upper")


def check(asked: Eval) -> None:
    """Everything that can be known before data or a model is loaded.

    Raises:
        ConfigError: no such benchmark, nothing to score, or a region or file that it does not take.
        AssetError: data, predictions or a file are not there.
    """
    name = asked.benchmark
    if name not in BENCHMARKS:
        raise ConfigError(f"no benchmark {name!r}; {nearest(name, BENCHMARKS)}")
    own = ("feature_networks",) if name in UNITS else ("region", "flame", "style", "takes")
    for field in own:
        if field in changed(asked):
            flag = field.replace("_", "-")
            raise ConfigError(f"--{flag} has no effect on the benchmark {name}; leave it out")
    if asked.data is None:
        raise ConfigError(
            f"--benchmark {name} needs the folder with your copy of the data: --data FOLDER (see"
            " docs/benchmarks/evaluation.md)"
        )
    check_folder("--data", asked.data, f"with your copy of {name}")
    for folder in asked.predictions:
        check_folder("--predictions", folder, "of predictions (NAME.npy, one a test clip)")
    check_files(
        {
            "--weights": asked.weights,
            "--flame": asked.flame,
            "--feature-networks": asked.feature_networks,
        }
    )
    for _, path, _ in map(region_parts, asked.region):
        check_files({"--region": Path(path)})
    if name == "tfhp" and asked.flame is None:
        raise ConfigError("tfhp holds FLAME coefficients: give your FLAME file with --flame")
    if asked.method == "none" and not asked.predictions:
        raise ConfigError("nothing to score: name a method, or give --predictions FOLDER")


def region_parts(text: str) -> tuple[str, str, tuple[str, ...]]:
    """Name, file and parts of `lips=FILE` or `upper=FILE:PART+PART`.

    Raises:
        ConfigError: not of that form.
    """
    name, equals, file = text.partition("=")
    if name not in REGIONS or not equals:
        raise ConfigError(
            f"a region is lips=FILE or upper=FILE, for files with several sets"
            f" upper=FILE:PART+PART, not {text!r}"
        )
    path, _, parts = file.partition(":")
    return name, path, tuple(filter(None, parts.split("+")))


def benchmark(asked: Eval) -> Report:
    """Score a method, a folder of predictions, or both.

    Raises:
        AssetError: data, predictions or a region cannot be read.
    """
    if asked.benchmark not in UNITS:
        return _body_benchmark(asked)
    from motet.cli.progress import progress_bars
    from motet.evaluation.benchmarks import evaluate_benchmark, test_cases
    from motet.rigs.flame import load_flame

    assert asked.data is not None
    regions = read_regions(asked.region)
    flame = None if asked.flame is None else load_flame(asked.flame)
    subjects = _subjects(asked, flame)
    cases = test_cases(asked.benchmark, asked.data, asked.split, flame)
    with progress_bars(asked.quiet) as bars:
        task = bars.add_task(asked.benchmark, total=None)
        return evaluate_benchmark(
            asked.benchmark,
            cases,
            subjects,
            regions,
            lambda name, done: bars.update(task, description=name, completed=done),
        )


def _body_benchmark(asked: Eval) -> Report:
    """MOSPA's table on SAM."""
    from motet.cli.progress import progress_bars
    from motet.evaluation.body_benchmark import (
        evaluate_body_benchmark,
        folder_body_predictor,
        method_body_predictor,
        read_feature_networks,
        sam_cases,
    )
    from motet.method_options import parse_options
    from motet.session import load

    assert asked.data is not None
    networks = asked.feature_networks and read_feature_networks(asked.feature_networks)
    subjects = {folder.name: folder_body_predictor(folder) for folder in asked.predictions}
    if asked.method != "none":
        loaded = load(asked.method, asked.weights, asked.device)
        options = parse_options(loaded.spec, asked.option)
        subjects = {loaded.name: method_body_predictor(loaded, options, asked.seed), **subjects}
    with progress_bars(asked.quiet) as bars:
        task = bars.add_task(asked.benchmark, total=None)
        return evaluate_body_benchmark(
            sam_cases(asked.data, asked.split, networks),
            subjects,
            networks,
            asked.seed,
            lambda name, done: bars.update(task, description=name, completed=done),
        )


def read_regions(arguments: Sequence[str]) -> dict[str, Region]:
    """Regions from `lips=FILE` or `upper=FILE:PART+PART`.

    Raises:
        ConfigError: not of that form.
        AssetError: the file cannot be read.
    """
    from motet.metrics.regions import read_region

    regions = {}
    for name, path, parts in map(region_parts, arguments):
        regions[name] = read_region(path, name, parts)
    return regions


def _subjects(asked: Eval, flame: Flame | None) -> dict[str, Predictor]:
    from motet.evaluation.benchmarks import folder_predictor, method_predictor
    from motet.method_options import parse_options
    from motet.session import load

    subjects: dict[str, Predictor] = {}
    if asked.method != "none":
        loaded = load(asked.method, asked.weights, asked.device)
        options = parse_options(loaded.spec, asked.option)
        options |= {"style": asked.style} if asked.style else {}
        seeds = (
            range(asked.seed, asked.seed + asked.takes) if not loaded.spec.deterministic else (0,)
        )
        subjects[loaded.name] = method_predictor(loaded, options, flame, tuple(seeds))
    for folder in asked.predictions:
        subjects[folder.name] = folder_predictor(folder)
    return subjects


def save(report: Report, out: Path) -> None:
    """Write the report as JSON, or by the ending `.tex` as a LaTeX table."""
    from motet.atomic_write import make_folder, write_bytes

    if out.suffix.lower() != ".tex":
        report.save(out)
        return
    make_folder(out.parent)
    write_bytes(out, report.latex().encode())
