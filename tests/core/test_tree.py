"""The shape of the code: import directions, no cycles, sizes, and a command line that answers at once."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "motet").rglob("*.py"))
LAYERS = [
    {"errors", "types", "config", "checkpoint", "corpus", "method", "finishing", "atomic"},
    {"audio", "geometry", "nn", "diffusion", "animation", "phonetics"},
    {"encoders", "rigs"},
    {"methods", "registry"},
    {"data"},
    {"render"},
    {"metrics", "train", "export", "session"},
    {"baselines", "eval", "bench", "batch", "serve"},
    {"commands"},
    {"cli"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports when it is imported."""
    found: set[str] = set()
    for node in tree(path).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("motet"):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("motet")}
    return found


def test_every_top_level_name_has_a_layer() -> None:
    names = {path.relative_to(ROOT / "motet").parts[0].removesuffix(".py") for path in FILES} - {"__init__", "weights"}
    assert names <= set(RANK), f"give these a place in LAYERS: {names - set(RANK)}"


def test_imports_point_one_way() -> None:
    wrong = []
    for path in FILES:
        own = path.relative_to(ROOT / "motet").parts[0].removesuffix(".py")
        for name in imports(path):
            parts = name.split(".")
            if len(parts) > 1 and own in RANK and parts[1] in RANK and RANK[parts[1]] > RANK[own]:
                wrong.append(f"{path.relative_to(ROOT)} -> {name}")
    assert not wrong, wrong


def test_methods_never_import_one_another() -> None:
    wrong = []
    for path in (ROOT / "motet" / "methods").rglob("*.py"):
        own = path.relative_to(ROOT / "motet" / "methods").parts[0]
        wrong += [f"{path.name} -> {name}" for name in imports(path) if name.startswith("motet.methods.") and name.split(".")[2] != own]
    assert not wrong, wrong


def test_there_is_no_import_cycle() -> None:
    modules = {module_name(path): path for path in FILES}
    graph = {name: {other for other in imports(path) if other in modules and other != name} for name, path in modules.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    assert len(done) == len(graph)


def test_files_and_functions_stay_small() -> None:
    long_files = [f"{p.relative_to(ROOT)} {len(p.read_text().splitlines())}" for p in FILES if len(p.read_text().splitlines()) > 400]
    long_functions = [
        f"{path.relative_to(ROOT)}:{node.name} {node.end_lineno - node.lineno + 1}"
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 80
    ]
    assert not long_files
    assert not long_functions


@pytest.mark.parametrize("forbidden", ["pickle", "eval", "exec"])
def test_nothing_runs_foreign_code(forbidden: str) -> None:
    found = []
    for path in FILES:
        for node in ast.walk(tree(path)):
            name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            imported = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
            if name == forbidden or forbidden in imported:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not found


def test_help_imports_no_torch() -> None:
    program = "import sys; from motet.cli import main; code = main(['--help']); sys.exit(code or ('torch' in sys.modules) * 5)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True).returncode == 0


def test_importing_the_package_is_light() -> None:
    program = "import sys, motet; sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'numba', 'av')))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True).returncode == 0


def run_and_list(tmp_path: Path, *arguments: str) -> tuple[int, set[str]]:
    """Exit code of `motet run` on one second of noise, and the modules it had imported."""
    sound = tmp_path / "sound.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, 16000)
    soundfile.write(sound, noise, 16000)
    command = ["run", str(sound), *arguments, "--quiet"]
    program = f"import sys; from motet.cli import main; print(main({command!r}), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code, *modules = done.stdout.split()
    return int(code), set(modules)


def test_curves_import_no_other_exporter_and_no_filters(tmp_path: Path) -> None:
    code, modules = run_and_list(tmp_path, "-o", str(tmp_path / "take.csv"))
    assert code == 0 and "motet.export.live_link_csv" in modules
    others = {f"motet.export.{name}" for name in ("bvh", "glb", "gltf", "mp4", "npz", "video")}
    assert not modules & (others | {"av", "numba", "scipy.signal", "scipy.interpolate"})


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("mospa", "take.csv"),
        ("artalk", "take.bvh"),
        ("kmtalk", "take.smplx.npz"),
        ("speech2lip", "take.csv"),
        ("artolk", "take.csv"),
    ],
)
def test_refusals_import_no_torch(tmp_path: Path, method: str, name: str) -> None:
    code, modules = run_and_list(tmp_path, "-m", method, "-o", str(tmp_path / name))
    assert code == 2
    assert not modules & {"torch", "numpy", "scipy"}
