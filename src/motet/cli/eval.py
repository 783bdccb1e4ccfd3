"""`motet eval`: a method with the baselines and the tracked ground truth, as table and JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from motet.cli.eval_protocols import ALWAYS, FOLDERS, STUDIES, TAKES, USED
from motet.cli.paths import check_files, check_folder
from motet.errors import ConfigError, nearest
from motet.options import Device, changed
from motet.registry import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from motet.config import JsonValue
    from motet.evaluation.face import Subject
    from motet.evaluation.report import Report
    from motet.loaded_method import LoadedMethod, Options
    from motet.tracking.lip_landmarks import LipFinder


@dataclasses.dataclass(frozen=True)
class Eval:
    """Published metrics on held-out recordings. Every baseline is scored in the same way."""

    method: tyro.conf.Positional[str] = DEFAULT
    """Method to evaluate; `none` for the baselines alone."""
    data: Path | None = None
    """Folder with the tracked recordings `other_speakers` and `grid_s1` (the sentences inside the
    package when left out). Bodies: a corpus of `motet data sam`; speech2lip: a fitted person."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON file to write; benchmarks also write a LaTeX table (.tex) beside it."""
    weights: Path | None = None
    """A motet checkpoint to evaluate instead of the shipped one."""
    device: Device = "cpu"
    """Where the networks run; `auto` takes a GPU where there is one."""
    style: str = ""
    """A named style, a take (.npz), or a video of a speaking face whose style is taken over."""
    text: bool = False
    """Give the method the transcript where it is known, if the method can use it."""
    option: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE: an option of the method's own; may be repeated."""
    benchmark: str = ""
    """Instead of the scores the table of papers from your copy of a data set in --data: vocaset,
    biwi or tfhp, for weights that generate vertices or FLAME coefficients; sam for bodies."""
    predictions: tuple[Path, ...] = ()
    """Benchmarks: folders of predictions (NAME.npy, one a test clip; sam: NAME.npz), each a row; of
    any program. With the method `none` only these are scored."""
    region: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Benchmarks: lips=FILE and upper=FILE with the data set's vertex numbers (.txt, .npy, .json,
    .pkl; FILE:PART+PART for files with several sets); LVE, LVD and MOD need lips, FDD upper."""
    feature_networks: Path | None = None
    """Benchmark sam: the authors' feature networks (weights_<epoch>.pt) for FID, R-precision and
    diversity; without them only distances of joints are scored."""
    split: str = "test"
    """Benchmarks: split of the data set."""
    flame: Path | None = None
    """Benchmarks: your FLAME file, for FLAME models and for tfhp."""
    study: str = ""
    """Instead of the scores: `steps` (quality against steps of a diffusion method) or `style`
    (how much of a clip's style is transferred); bodies: `steps`, or `takes` (whole takes of 6 to
    40 s of composed sounds, held out: continuity, start, balance, life to the end, events, and
    what must be reached) and `takes-seen` (those that are looked at during development);
    speech2lip: `pictures` (persons with the implicit network: every pixel against the filmed one),
    `voices` (whether lips drawn for speech that was never filmed move like those of the 3D
    methods)."""
    recordings: tuple[Path, ...] = ()
    """Speech for `--study voices`; the sentences inside the package when left out."""
    seed: int = 0
    """Seed of every prediction."""
    takes: int = 5
    """Takes compared for diversity."""
    every: int = 1
    """`--study pictures`: only every so many held-out frames get scores."""
    lpips: tuple[Path, ...] = ()
    """`--study pictures`: LPIPS on your backbone: AlexNet or VGG-16 as torchvision saves it, and
    the authors' linear weights (alex.pth, vgg.pth)."""
    limit: int = 60
    """Bodies: sequences of each held-out split."""
    long_s: float = 600.0
    """Length of the long file in seconds."""
    baselines: bool = True
    """Evaluate the baselines too."""
    json: bool = False
    """Print JSON instead of the table."""
    quiet: bool = False
    """No progress bar."""

    def execute(self) -> int:
        """Evaluate and report."""
        from motet.registry import method_spec

        protocol = "none" if self.method == "none" else method_spec(self.method).evaluation
        if self.benchmark:
            return self._benchmark()
        self._check(protocol)
        if protocol == "person":
            return self._person()
        if protocol == "body":
            return self._body()
        if self.data is not None:
            check_folder("--data", self.data, "that holds 'other_speakers' and 'grid_s1'")
        from motet.cli.progress import progress_bars
        from motet.evaluation.baselines import baselines
        from motet.evaluation.face import EvaluationConfig, Subject, evaluate
        from motet.evaluation.held_out import load_held_out
        from motet.metrics.lip_geometry import lip_geometry_of
        from motet.rigs.house import load_house

        if self.study:
            return self._study()
        config = EvaluationConfig(seed=self.seed, takes=self.takes, long_s=self.long_s)
        subjects = self._method() + [
            Subject(name, predict)
            for name, predict in (baselines() if self.baselines else {}).items()
        ]
        material, lip_geometry = load_held_out(self.data), lip_geometry_of(load_house())
        with progress_bars(self.quiet) as progress:
            task = progress.add_task("")
            report = evaluate(
                subjects,
                material,
                lip_geometry,
                config,
                lambda what, done, total: progress.update(
                    task, description=what, completed=done, total=total
                ),
            )
        return self._show(report)

    def _benchmark(self) -> int:
        """The table of a published benchmark."""
        from rich.console import Console

        from motet.cli.eval_benchmark import benchmark, check, save

        self._refuse_idle(USED["benchmark"])
        check(self)
        report = benchmark(self)
        if self.out:
            save(report, self.out)
        if self.json:
            print(json.dumps(report.to_json(), indent=1))
        else:
            Console(width=max(Console().width, 140)).print(report.table())
        return 0

    def _check(self, protocol: str) -> None:
        """A flag that a protocol does not use is an error."""
        self._refuse_idle(USED["study"] if self.study and protocol == "face" else USED[protocol])
        studies = STUDIES[protocol]
        if self.study and self.study not in studies:
            raise ConfigError(
                f"{self.method} has no study {self.study!r};"
                f" {nearest(self.study, studies) if studies else 'leave --study out'}"
            )
        check_files({"--weights": self.weights})
        if self.lpips and self.study != "pictures":
            raise ConfigError("--lpips is for --study pictures; leave it out")
        for path in self.lpips:
            check_files({"--lpips": path})
        if self.data is not None and protocol in FOLDERS:
            check_folder("--data", self.data, FOLDERS[protocol])

    def _refuse_idle(self, used: Sequence[str]) -> None:
        idle = [name for name in changed(self) if name not in (*ALWAYS, *used)]
        if idle:
            flag = idle[0].replace("_", "-")
            raise ConfigError(
                f"--{flag} has no effect on the evaluation of {self.method}"
                f"{' by a study' if self.study else ''}"
                f"{' on a benchmark' if self.benchmark else ''}; leave it out"
            )

    def _show(self, report: Report) -> int:
        from rich.console import Console

        if self.out:
            report.save(self.out)
        if self.json:
            print(json.dumps(report.to_json(), indent=1))
        else:
            Console(width=max(Console().width, 140)).print(report.table())
        return 0

    def _study(self) -> int:
        from motet.cli.eval_studies import study
        from motet.evaluation.held_out import load_held_out
        from motet.method_options import parse_options
        from motet.metrics.lip_geometry import lip_geometry_of
        from motet.rigs.house import load_house
        from motet.session import load

        loaded = load(self.method, self.weights, self.device)
        options = parse_options(loaded.spec, self.option)
        scores, table = study(
            self.study,
            loaded,
            load_held_out(self.data),
            lip_geometry_of(load_house()),
            options,
            self.takes,
        )
        return self._show_study(
            {"method": loaded.spec.name, "weights": loaded.digest, **scores}, table
        )

    def _voices(self) -> int:
        """New speech of a fitted person (the shipped one without --data)."""
        from motet.cli.eval_studies import voices

        return self._show_study(*voices(self.data, self.recordings))

    def _show_study(self, scores: Mapping[str, JsonValue], *tables: Table) -> int:
        from rich.console import Console

        from motet.atomic_write import write_bytes

        if self.out:
            write_bytes(self.out, json.dumps(scores, indent=1).encode())
        if self.json:
            print(json.dumps(scores, indent=1))
        else:
            for table in tables:
                Console(width=max(Console().width, 140)).print(table)
        return 0

    def _body(self) -> int:
        """Bodies are measured on a corpus in SAM's layout whose reactions are known."""
        if self.data is None and self.study not in TAKES:
            raise ConfigError(
                "a body is evaluated on a corpus: give --data FOLDER, made by 'motet data sam -o"
                " FOLDER', or --study takes, which needs none"
            )
        from rich.console import Console

        from motet.cli.progress import progress_bars
        from motet.evaluation.body import (
            BodyEvaluation,
            evaluate_body,
            method_subjects,
            reference_subjects,
        )
        from motet.method_options import parse_options
        from motet.session import load
        from motet.synthesis.reaction.policy_upper_bound import policy_again

        loaded = load(self.method, self.weights, self.device)
        if self.study in TAKES:
            return self._body_takes(loaded, parse_options(loaded.spec, self.option))
        assert self.data is not None
        if self.study:
            return self._body_study(loaded, parse_options(loaded.spec, self.option))
        subjects = method_subjects(loaded, parse_options(loaded.spec, self.option))
        if self.baselines:
            subjects |= reference_subjects(policy_again(self.data))
        else:
            subjects = dict(list(subjects.items())[:1])
        with progress_bars(self.quiet) as progress:
            task = progress.add_task("")
            config = BodyEvaluation(seed=self.seed, limit=self.limit)
            report = evaluate_body(
                self.data,
                subjects,
                config,
                lambda what, done, total: progress.update(
                    task, description=what, completed=done, total=total
                ),
            )
        if self.out:
            report.save(self.out)
        if self.json:
            print(json.dumps(report.to_json(), indent=1))
        else:
            Console(width=max(Console().width, 190)).print(report.table())
        return 0

    def _body_study(self, loaded: LoadedMethod, options: Options) -> int:
        from motet.cli.eval_studies import body_study

        assert self.data is not None
        scores, table = body_study(self.study, loaded, self.data, options, self.takes, self.limit)
        return self._show_study(
            {"method": loaded.spec.name, "weights": loaded.digest, **scores}, table
        )

    def _body_takes(self, loaded: LoadedMethod, options: Options) -> int:
        """Whole takes of composed sounds, without a corpus."""
        from motet.cli.eval_studies import body_takes

        if self.data is not None:
            raise ConfigError(f"--study {self.study} makes its own sounds; leave --data out")
        seen = self.study == "takes-seen"
        scores, tables = body_takes(loaded, options, self.seed, seen=seen, quiet=self.quiet)
        return self._show_study(
            {"method": loaded.spec.name, "weights": loaded.digest, **scores}, *tables
        )

    def _person(self) -> int:
        """A fitted person on the held-out tail of their footage."""
        from contextlib import nullcontext

        from motet.cli.progress import progress_bars
        from motet.errors import AssetError, MissingDependency
        from motet.tracking.lip_landmarks import LipFinder

        if self.study not in ("", "pictures"):
            return self._voices()
        if self.data is None:
            raise AssetError(
                "name the fitted person to evaluate: motet eval speech2lip --data PERSON"
            )
        try:
            finder = LipFinder()
        except (AssetError, MissingDependency) as error:
            print(f"landmarks are not measured: {error}")
            finder = None
        with progress_bars(self.quiet) as progress, finder or nullcontext():
            task = progress.add_task("")

            def update(what: str, done: int, total: int) -> None:
                progress.update(task, description=what, completed=done, total=total)

            return self._show(self._report_of_person(self.data, finder, update))

    def _report_of_person(
        self, folder: Path, finder: LipFinder | None, progress: Callable[[str, int, int], None]
    ) -> Report:
        """As a viewer sees the person, or pixel by pixel (`--study pictures`)."""
        from motet.evaluation.person import TailConfig, evaluate_person
        from motet.evaluation.talking_person import evaluate_talking
        from motet.method_options import parse_options
        from motet.methods.speech2lip.person.folder import Person
        from motet.metrics.lpips import read_lpips
        from motet.registry import method_spec

        person = Person(folder)
        options = parse_options(method_spec(self.method), self.option)
        if self.study:
            if options:
                raise ConfigError("--study pictures draws without options; leave --option out")
            lpips = read_lpips(self.lpips) if self.lpips else None
            config = TailConfig(self.every, 2 if self.every == 1 else 1, lpips)
            return evaluate_person(person, config, finder, progress)
        if self.every != 1:
            raise ConfigError("--every is for --study pictures; leave it out")
        return evaluate_talking(person, finder, options, progress)

    def _method(self) -> list[Subject]:
        from motet.evaluation.face import method_subject
        from motet.method_options import parse_options
        from motet.session import load

        if self.method == "none":
            return []
        loaded = load(self.method, self.weights, self.device)
        style = {"style": self.style} if self.style else {}
        if self.text:
            loaded.condition({"text": ""})  # a method without that option says so at once
        return [
            method_subject(
                loaded, options={**style, **parse_options(loaded.spec, self.option)}, text=self.text
            )
        ]


COMMAND = Eval
