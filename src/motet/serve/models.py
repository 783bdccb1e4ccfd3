"""Bodies of requests and answers. They are the source of the page's TypeScript types (OpenAPI)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from motet.serve.folder import ID_PATTERN

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
"""24 hex digits: a digest, or for jobs a number that sorts by time."""
Scalar = bool | int | float | str
State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
JsonObject = dict[str, object]


class Body(BaseModel):
    """A request; fields that it does not have are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class MethodInfo(BaseModel):
    """A method in a list."""

    name: str
    title: str
    output: Literal["motion", "frames"]
    space: str
    fps: float
    sample_rate: int
    layout: str
    streams: bool
    look_ahead_s: float | None
    """Streaming delay; null for methods that need the whole recording."""
    delays: list[float]
    """Positions of the delay dial of live sessions, seconds; empty: it cannot be chosen."""
    whole_recording: str
    """Why it needs the whole recording; empty: it streams."""
    loaded: bool
    """A worker has it in memory, so its first take comes quickly."""
    available: bool
    """It ships weights."""


class FormatInfo(BaseModel):
    """A format that takes are exported to."""

    ending: str
    face: bool
    """It holds a face."""
    body: bool
    """It holds a body."""
    avatar: bool
    """It can show an avatar of the user's."""
    pictures: bool
    """It is a video."""
    figure: bool
    """It shows one of `figures`, unless it shows an avatar."""


class Health(BaseModel):
    """State of the server."""

    state: Literal["loading", "ready", "failed"]
    version: str
    methods: list[MethodInfo]
    default_method: str
    formats: list[FormatInfo]
    figures: dict[str, str]
    """What each shipped figure looks like; the first is the default one."""
    limits: dict[str, int]
    problem: str = ""
    """Why the workers do not start."""


class MethodDetails(MethodInfo):
    """A method with its options."""

    options: JsonObject
    """JSON schema of `options`, with defaults and descriptions."""
    postprocess: JsonObject
    """JSON schema of `postprocess`; no properties for methods on which nothing of it acts."""
    styles: list[str]


class Sound(BaseModel):
    """An uploaded sound."""

    id: str
    name: str
    seconds: float
    rate: int
    channels: int
    layout: str
    mime: str
    bytes: int
    made: float
    """Seconds since 1970."""
    url: str
    playable_url: str
    """The same as WAV with one or two channels, which every browser plays."""
    peaks_url: str


class Sounds(BaseModel):
    """Sounds, the newest first."""

    sounds: list[Sound]


class Transcript(Body):
    """What is said in a sound."""

    text: str = Field(min_length=1, max_length=10_000)


class Label(BaseModel):
    """A word or phone with its time, seconds."""

    t0: float
    t1: float
    label: str


class Phones(BaseModel):
    """What is said when."""

    words: list[Label]
    phones: list[Label]


class SpeechRequest(Body):
    """A text to speak."""

    text: str = Field(min_length=1, max_length=10_000)
    voice: str = Field("", pattern=r"^([a-z]{2}_[a-z]{1,30})?$")
    """Name of a Kokoro voice, such as `af_heart`; empty: the usual one."""


class Speech(BaseModel):
    """A text that was spoken."""

    sound: Sound
    phones: Phones
    """Without entries where the words have no known pronunciation."""


class TakeRequest(Body):
    """What to generate."""

    sound: Id
    method: str = Field("artalk", max_length=100)
    options: dict[str, Scalar] = Field(default_factory=dict)
    """Options of the method, see `GET /methods/{name}`; `"style": "take:ID"` takes the style of a
    take."""
    seed: int = Field(0, ge=0, lt=2**31)
    postprocess: dict[str, Scalar] = Field(default_factory=dict)
    """What is done to a face after generation: `emotion`, `gaze`, `intensity`, `head_scale`, ...;
    see `GET /methods/{name}`."""
    fps: float | None = Field(None, ge=1, le=240)
    source: str = Field("", max_length=200)
    """Body methods: position of the sound source, AZ,EL,DIST (degrees left, degrees up, metres)."""
    text: str = Field("", max_length=10_000)
    """Transcript, for methods that can use it."""


class Take(BaseModel):
    """A take."""

    id: str
    sound: str
    """Id of its sound; empty: it has none."""
    state: Literal["made", "edited", "imported", "rerolled"]
    parent: str
    method: str
    seed: int
    options: dict[str, Scalar]
    postprocess: dict[str, Scalar]
    kind: Literal["motion", "pictures"]
    space: str
    fps: float
    frames: int
    seconds: float
    command: str
    """A `motet` command line that makes the same bytes; empty: there is none."""
    made: float
    edited: str
    """Id of the edited version; empty: not edited."""
    file_url: str
    curves_url: str
    """Empty for pictures."""
    check_url: str


class Takes(BaseModel):
    """A page of takes, the newest first."""

    takes: list[Take]
    cursor: str
    """For the next page; empty: this is the last."""


class ProblemModel(BaseModel):
    """RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    remedy: str = ""
    field: str = ""
    id: str = ""


class JobResult(BaseModel):
    """What a job made."""

    take: str = ""
    """Id of a take."""
    person: str = ""
    """Id of a person."""
    url: str = ""
    """Of a file to download."""
    name: str = ""
    """File name of the download."""


class Job(BaseModel):
    """A job."""

    id: str
    kind: str
    state: State
    stage: str
    done: int
    total: int
    eta_s: float | None
    """Estimated seconds to the end of this stage."""
    place: int
    """Jobs before it, while it is queued."""
    problem: ProblemModel | None
    result: JobResult | None
    made: float
    ended: float
    request: JsonObject


class Jobs(BaseModel):
    """Jobs, the oldest first."""

    jobs: list[Job]


class TakeOrJob(BaseModel):
    """The take if it exists (200), else the job that makes it (202)."""

    take: Take | None = None
    job: Job | None = None


class Imported(BaseModel):
    """A take from a file."""

    take: Take
    remarks: list[str]


class Edits(BaseModel):
    """Layers over a take."""

    base: str
    """Id of the take, which never changes."""
    take: str
    """Id of the edited version; empty: no edits."""
    layers: list[JsonObject]


class EditRequest(Body):
    """New layers of a take; see `motet.editing` for their fields."""

    layers: list[JsonObject] = Field(max_length=10_000)


class RerollRequest(Body):
    """A stretch to generate with another seed."""

    t0: float = Field(ge=0)
    t1: float = Field(ge=0)
    seed: int = Field(ge=0, lt=2**31)
    groups: list[Literal["mouth", "brows", "eyes", "cheeks", "head"]] = Field(min_length=1)
    fade: float = Field(0.1, ge=0, le=10)


class ExportRequest(Body):
    """A file to write."""

    take: Id
    format: str = Field(max_length=20)
    """Ending of the file, see `formats` of `/health`."""
    fps: float | None = Field(None, ge=1, le=240)
    avatar: str = Field("", pattern=r"^([0-9a-f]{24})?$")
    """An uploaded avatar instead of the house figure."""
    size: int | Annotated[str, StringConstraints(max_length=12)] = ""
    """Of a video: PIXELS, WIDTHxHEIGHT, or a name such as `9:16`."""
    background: str = Field("", pattern=r"^(#[0-9a-fA-F]{6}|transparent)?$")
    """Of a video of a face: a colour, or transparent (.webm, .mov)."""
    camera: str = Field("", max_length=20)
    """Of a video of a face: head, bust, three-quarter, body."""
    figure: str = Field("", max_length=20)
    """Of a video or .glb: one of `figures` of `/health`."""
    captions: str = Field("", max_length=10_000)
    """What is said, drawn into a video or written as .srt or .vtt."""


class Score(BaseModel):
    """A measurement of a take."""

    id: str
    value: float
    unit: str
    about: str
    low: float | None
    """Where it should lie; null: it has no limits."""
    high: float | None
    ok: bool


class Remark(BaseModel):
    """Something that a viewer will notice."""

    t0: float
    t1: float
    what: str
    remedy: str


class Check(BaseModel):
    """The report of `motet check`."""

    scores: list[Score]
    remarks: list[Remark]


class Avatar(BaseModel):
    """An avatar."""

    id: str
    name: str
    kind: Literal["glb", "vrm", "house"]
    matched: list[str]
    """Its morph targets and expressions that are driven."""
    missed: list[str]
    """ARKit shapes without a counterpart."""
    ignored: list[str]
    """Its morph targets and expressions that are not driven."""
    bones: list[str]
    mouth: str
    """What the mouth speaks by; empty: nothing yet, assign its names."""
    suggestions: dict[str, str]
    """Likely ARKit shapes of ignored names."""
    mapping: JsonObject
    made: float


class Avatars(BaseModel):
    """Avatars, the house figure first."""

    avatars: list[Avatar]


class AvatarMapping(Body):
    """Names assigned by hand."""

    shapes: dict[str, str | None] = Field(default_factory=dict)
    """The avatar's morph target or expression -> ARKit shape or viseme; null keeps it still."""
    bones: dict[Literal["head", "neck", "jaw", "leftEye", "rightEye"], str | None] = Field(
        default_factory=dict
    )
