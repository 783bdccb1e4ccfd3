"""Messages of live sessions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from motet.serve.models import Body, Id, Scalar


class Hello(Body):
    """First message of a live session."""

    type: Literal["hello"]
    rate: int = Field(48_000, ge=8_000, le=192_000)
    """Sample rate of the client, Hz."""
    format: Literal["s16", "f32"] = "s16"
    """Numbers of its samples, little endian."""
    channels: int = Field(1, ge=1, le=8)
    method: str = Field("artalk", max_length=100)
    options: dict[str, Scalar] = Field(default_factory=dict)
    postprocess: dict[str, Scalar] = Field(default_factory=dict)
    delay_s: float | Literal["auto"] = "auto"
    """Largest time from a sound to its frame, without computing and network."""
    avatar: str = Field("house", pattern=r"^(house|raw|[0-9a-f]{24})$")
    echo: Literal[False] = False
    """Reserved: clients play their own sound."""
    seed: int = Field(0, ge=0, lt=2**31)


class Resume(Body):
    """First message after a lost connection."""

    type: Literal["resume"]
    session: Id
    from_sample: int = Field(ge=0)
    """Sample of the whole session with which the sound that follows begins."""


class Control(Body):
    """A message during a session."""

    type: Literal["flush", "interrupt", "set", "ping"]
    options: dict[str, Scalar] = Field(default_factory=dict)
    postprocess: dict[str, Scalar] | None = None
    t: float = 0.0
    """Of a ping: any number, which comes back."""
