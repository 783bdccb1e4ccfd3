"""`motet serve`: the studio, a page in the browser and the API behind it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from motet.errors import ConfigError, require
from motet.registry import DEFAULT, method_spec
from motet.serve.limits import Limits


@dataclasses.dataclass(frozen=True)
class Serve:
    """Open the studio in a browser: drop a sound, see and hear the performance, correct it, take it
    away. The API behind it is described at /api/openapi.json. Ends with Ctrl-C.
    """

    host: str = "127.0.0.1"
    """Address to listen on; another than this machine's needs --token."""
    port: int = 8420
    """Port; 0 takes any free one."""
    token: str = ""
    """A secret that every request needs; the printed address carries it."""
    data: Path | None = None
    """Folder for sounds, takes and exports; motet's folder in the user's data folder when left
    out."""
    allow_origin: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Another site whose pages may use this server (https://example.org); may be repeated."""
    workers: int | None = None
    """Processes that generate; one less than there are cores when left out."""
    warm: tuple[str, ...] = (DEFAULT,)
    """Methods that are loaded before their first take."""
    limits: Annotated[Limits, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=lambda: Limits()
    )
    """Upper limits for requests."""

    def execute(self) -> int:
        """Serve until Ctrl-C."""
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"a port lies between 0 and 65535, not {self.port}")
        if self.workers is not None and not 1 <= self.workers <= 64:
            raise ConfigError(f"workers must lie between 1 and 64, not {self.workers}")
        for name in self.warm:
            method_spec(name)
        for package in ("fastapi", "uvicorn", "websockets", "python_multipart", "sse_starlette"):
            require(package, "serve")
        from motet.serve.folder import default_root
        from motet.serve.security import Access
        from motet.serve.server import serve
        from motet.serve.studio import ServerOptions

        options = ServerOptions(self.data or default_root(), warm=self.warm, limits=self.limits)
        if self.workers is not None:
            options = dataclasses.replace(options, workers=self.workers)
        serve(options, Access(self.host, self.port, self.token, self.allow_origin))
        return 0


COMMAND = Serve
