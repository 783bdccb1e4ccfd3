"""The command line: `motet VERB ...`. Verbs are dataclasses under `src/motet/cli`; their field
docstrings are the help.

Exit codes: 0 done; 2 bad usage or input, with one line on stderr that says what to do; 1 a failure
of our own.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from motet.errors import ConfigError, MotetError, nearest

VERBS: dict[str, str] = {
    "run": "Motion, video or 3D from recordings: the main job.",
    "fit": "Learn one person from videos, for speech2lip.",
    "dub": "New speech in a video that a person was fitted from.",
    "serve": "The studio: a page in the browser, and its API.",
    "live": "Frames from audio as it arrives: to a pipe, sockets, VMC receivers, Unreal.",
    "keys": "Key motions of a recording as a file to edit (kmtalk).",
    "export": "A saved take (.npz) in other formats.",
    "edit": "Corrections of a saved take, as the studio makes them.",
    "render": "A saved take (.npz) as video.",
    "methods": "The methods there are, and the options of one.",
    "check": "A quality report of a take or a video.",
    "data": "Build training data: corpus | synth | track | sam | index | inspect.",
    "train": "Train a stage of a method; resumable.",
    "eval": "Published metrics on held-out recordings, with trivial baselines.",
    "bench": "Speed, latency and memory.",
    "weights": "List, verify and import weights: list | verify | import | mean.",
}

_OF_THE_SYSTEM = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ENOENT,
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EMFILE, errno.ELOOP,
)  # fmt: skip
"""Errors of files and disks that are no faults of the program."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _stopping_cleanly():
            return _dispatch(arguments)
    except MotetError as error:
        return _refusal(str(error))
    except KeyboardInterrupt as stop:
        print("motet: stopped", file=sys.stderr)
        return 128 + (stop.number if isinstance(stop, Terminated) else signal.SIGINT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
            name = f"{error.filename}: " if error.filename else ""
            return _refusal(f"{name}{os.strerror(error.errno)}")
        if os.environ.get("MOTET_DEBUG"):
            traceback.print_exc()
        print(
            f"motet: internal error, please report it: {type(error).__name__}: {error}"
            " (MOTET_DEBUG=1 shows where)",
            file=sys.stderr,
        )
        return 1


def _refusal(message: str) -> int:
    print(f"motet: {' '.join(message.split())}", file=sys.stderr)
    return 2


class Terminated(KeyboardInterrupt):
    """The process was asked to end by a signal other than Ctrl-C's; cleans up in the same way."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


@contextmanager
def _stopping_cleanly() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that nothing unfinished stays behind.

    Once one has come, more of them are ignored until the block has ended: shells send SIGHUP
    twice. A signal that is ignored already (`nohup`) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    caught = [number for number in numbers if before[number] is signal.SIG_DFL]

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        for other in caught:
            signal.signal(other, signal.SIG_IGN)
        raise Terminated(number)

    try:
        for number in caught:
            signal.signal(number, stop)
        yield
    finally:
        for number in caught:
            signal.signal(number, before[number])


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if arguments[0] in ("--version", "-V"):
        import motet

        print(motet.__version__)
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        raise ConfigError(f"no verb {verb!r}; {nearest(verb, VERBS)}")
    for name in rest:
        if name.startswith("-") and name != "-" and os.path.isfile(name):
            raise ConfigError(f"{name} begins with a dash, as options do; write ./{name}")
    module = importlib.import_module(f"motet.cli.{verb}")
    command = _parse(module.COMMAND, f"motet {verb}", rest)
    if command is None:
        return 0
    return int(command.execute() or 0)


class Command(Protocol):
    """A verb with its flags filled in."""

    def execute(self) -> int | None:
        """Do the work; returns the exit code (None for 0)."""
        ...


def _parse(
    command: type[Command] | dict[str, type[Command]], program: str, arguments: list[str]
) -> Command | None:
    """A verb's dataclass filled from the command line; None after help was shown.

    Raises:
        ConfigError: arguments that are missing, unknown or of another kind.
    """
    import tyro

    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            if isinstance(command, dict):
                return tyro.extras.subcommand_cli_from_dict(command, prog=program, args=arguments)
            return tyro.cli(command, prog=program, args=arguments)
    except SystemExit as stop:
        if stop.code in (0, None):
            return None
        from motet.cli.usage_errors import one_line

        if not (message := one_line(printed.getvalue(), program)):
            sys.stderr.write(printed.getvalue())
            raise
        raise ConfigError(message) from None


def overview() -> str:
    """The text of `motet --help`."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {text}" for verb, text in VERBS.items()]
    return "\n".join(
        [
            "motet: sound in, human motion out.",
            "",
            "usage: motet VERB ... (motet VERB --help lists its options)",
            "",
            *lines,
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
