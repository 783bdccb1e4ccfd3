"""Files of object stores beside local ones, through fsspec.

A location is a local path, or an address with a scheme (`s3://bucket/a.wav`, `gs://`, `https://`,
`memory://`). Addresses are copied to a temporary folder before they are read, and outputs are
written there before they are stored: readers and writers see local files only.
"""

from __future__ import annotations

import glob
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from motet.errors import InputError, MissingDependency
from motet.file_endings import SOUND_ENDINGS, VIDEO_ENDINGS

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Location = Path | str
_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # two letters: `C:\` is a drive
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs"}


class MissingObject(InputError):
    """There is no object at an address."""


def is_address(location: Location) -> bool:
    """Whether a location lies in an object store."""
    return isinstance(location, str) and bool(_ADDRESS.match(location))


def location_of(text: str) -> Location:
    """An address as it stands, anything else as a local path."""
    return text if is_address(text) else Path(text)


def join(folder: Location, name: str) -> Location:
    """A file in a folder."""
    return folder / name if isinstance(folder, Path) else f"{folder.rstrip('/')}/{name}"


def file_name(location: Location) -> str:
    """The last part of a location."""
    return location.name if isinstance(location, Path) else location.rstrip("/").rpartition("/")[2]


def stem(location: Location) -> str:
    """The last part of a location without its ending."""
    return Path(file_name(location)).stem


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern. A name that exists is itself, whatever characters it has."""
    text = str(text)
    return any(c in text for c in "*?[") and (is_address(text) or not Path(text).exists())


def is_folder(text: str) -> bool:
    """Whether a text names a local folder."""
    return not is_address(text) and Path(text).is_dir()


def _recordings(folder: Path) -> list[Location]:
    """Sounds and videos in a folder, those below it left out."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file())
    return [path for path in files if path.suffix.lower() in SOUND_ENDINGS | VIDEO_ENDINGS]


def open_store(address: str) -> tuple[AbstractFileSystem, str]:
    """The file system of an address, and the path in it.

    Raises:
        MissingDependency: the package for this scheme is not installed.
        InputError: no such scheme.
    """
    from fsspec.core import url_to_fs

    scheme = address.partition("://")[0].lower()
    try:
        return url_to_fs(address)
    except ImportError as error:
        package = _PACKAGES.get(scheme, "the fsspec package for it")
        raise MissingDependency(
            f"{scheme}:// addresses need another package; run  pip install {package}"
        ) from error
    except ValueError as error:
        raise InputError(f"{address}: there is no store {scheme}://") from error


def expand(texts: Sequence[str]) -> list[Location]:
    """Locations with patterns (`*`, `?`, `[a-z]`, `**`) replaced by what they match, and local
    folders by the recordings in them, sorted.

    Raises:
        InputError: a pattern matches nothing, or a folder holds no recording.
    """
    locations: list[Location] = []
    for text in texts:
        if is_folder(text):
            matches = _recordings(Path(text))
        else:
            matches = _matches(text) if is_pattern(text) else [location_of(str(text))]
        if not matches:
            raise InputError(
                f"the folder {text} holds no recording; name a folder with sounds or videos, or"
                f" a pattern such as '{text}/**/*.wav'"
                if is_folder(text)
                else f"{text} matches no file"
            )
        locations += matches
    return locations


def _matches(pattern: str) -> list[Location]:
    if not is_address(pattern):
        return [Path(p) for p in sorted(glob.glob(pattern, recursive=True)) if Path(p).is_file()]
    store, path = open_store(pattern)
    return [store.unstrip_protocol(str(match)) for match in sorted(store.glob(path))]


@contextmanager
def local_copy(location: Location) -> Iterator[Path]:
    """A local file with the content of a location; a local path is itself.

    Raises:
        MissingObject: there is no such object.
        InputError: it cannot be read.
    """
    if isinstance(location, Path):
        yield location
        return
    with tempfile.TemporaryDirectory(prefix="motet-") as folder:
        path = Path(folder) / file_name(location)
        store, remote = open_store(location)
        with _store_errors(location):
            store.get_file(remote, str(path))
        yield path


@contextmanager
def stored(outputs: Sequence[Location]) -> Iterator[list[Path]]:
    """Local paths to write to; what belongs into a store is put there when the block ends well.

    Raises:
        InputError: an output cannot be stored.
    """
    if all(isinstance(output, Path) for output in outputs):
        yield [Path(output) for output in outputs]
        return
    with tempfile.TemporaryDirectory(prefix="motet-") as folder:
        paths = [Path(folder) / file_name(output) for output in outputs]
        yield paths
        for path, output in zip(paths, outputs, strict=True):
            put_file(path, output)


def put_file(path: Path, location: Location) -> None:
    """Store a file; objects appear only when they are complete.

    Raises:
        InputError: it cannot be stored.
    """
    if isinstance(location, Path):
        shutil.copyfile(path, location)
        return
    store, remote = open_store(location)
    with _store_errors(location):
        store.makedirs(store._parent(remote), exist_ok=True)
        store.put_file(str(path), remote)


def size_of(location: Location) -> int | None:
    """Bytes of a file, None where there is none."""
    if isinstance(location, Path):
        return location.stat().st_size if location.is_file() else None
    store, remote = open_store(location)
    store.invalidate_cache()
    try:
        with _store_errors(location):
            # One request says whether it is there and how large it is.
            return int(store.info(remote)["size"] or 0)
    except MissingObject:
        return None


def version_of(address: str) -> str:
    """What the store says about an object's content (size, date, digest), as one string.

    Raises:
        InputError: there is no such object.
    """
    store, remote = open_store(address)
    with _store_errors(address):
        return str(store.checksum(remote))


@contextmanager
def _store_errors(address: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MissingObject(f"{address} does not exist") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{address}: {' '.join(str(error).split())}") from error
