"""Write `docs/reference/model_cards.md`: a card for each weight file, from the facts inside it.

python -m recipes.model_cards
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from motet.checkpoint import Checkpoint, read_checkpoint
from motet.config import JsonValue

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "src" / "motet" / "weights"
PAGE = ROOT / "docs" / "reference" / "model_cards.md"
VOICE_BIAS = ROOT / "docs" / "benchmarks" / "voice_bias.json"
"""Written by `recipes.voice_bias`."""
HEAD = """# Model cards

One card for each weight file of the package. Size, digest, data and training are read from the
file (`python -m recipes.model_cards` writes this page); `motet weights verify` compares digests.
Sources, amounts and credits: [DATA.md](../../DATA.md). Scores with their commands:
[Quality](../benchmarks/evaluation.md) and the pages of the methods.

**Not intended**, for all of them: making real people say what they did not say without their
consent, identifying people, judging emotion, health or honesty from a voice, lip reading by deaf
people as the only channel, forensic use. Faces and bodies are generated; they are no measurement of
the speaker.

## Bias by voice

`python -m recipes.voice_bias SPEECH -o docs/benchmarks/voice_bias.json` runs methods on synthetic
voices (Kokoro, eight languages) whose phones and times are known. The target is the
lip opening that the phones alone give, so groups of voices differ in sound, not in the task.
Pitch groups (median of the voice) are of English alone. The number of voices stands in brackets;
groups of one to four voices show little: standard errors, utterances and counts stand in the
[file](../benchmarks/voice_bias.json). How good lips are is measured on film, not here:
[Quality](../benchmarks/evaluation.md).
"""


EARLIER_WORDS = ("each also as a stranger would say it", "each also with a perturbed voice")
"""What files that were written earlier say, and what it is called now."""


@dataclasses.dataclass(frozen=True)
class Purpose:
    """What a file is for; the rest of a card is in the file."""

    title: str
    use: str
    limits: str


PURPOSES = {
    "artalk": Purpose(
        "Speech to face and head (default)",
        "Curves of 52 ARKit shapes and a head rotation, for characters and agents; also live.",
        "Lips follow speech; brows, gaze and head are plausible, not predicted. `tongueOut` is 0."
        " Learned mostly from English, Russian and Mandarin; other languages use the same lips."
        " Children's voices and singing were in no training set.",
    ),
    "diffposetalk": Purpose(
        "Speech to face and head by diffusion",
        "Several different takes of one recording, in a style taken from another take or video.",
        "As `artalk`; some style names are obeyed weakly.",
    ),
    "kmtalk": Purpose(
        "Speech to face from phone times",
        "Curves whose key poses can be edited; transcripts correct the words.",
        "Words are recognised in English; in other languages give a transcript. Its own head motion"
        " is small.",
    ),
    "mospa": Purpose(
        "Spatial sound to body",
        "A figure that turns to, avoids or follows sounds around it, or gestures while it speaks.",
        "Reactions are scripted, not captured from people. No contact with objects or others.",
    ),
    "speech2lip": Purpose(
        "The shipped person of `speech2lip`",
        "Shows what `motet fit` makes, without footage of a real person.",
        "The person is a rendered character: nobody's likeness.",
    ),
    "lips": Purpose(
        "Mouth shapes from Whisper's features",
        "The lips of `artalk`, and a share of those of `kmtalk` and `diffposetalk`.",
        "A linear map: it gives the mouth of an average speaker, scaled to people's range.",
    ),
    "whisper": Purpose(
        "Audio encoder (Whisper tiny.en)",
        "Features of speech for lips and phones. It writes no text: its decoder is not shipped.",
        "Trained by OpenAI on English; it knows other languages' sounds less well.",
    ),
    "speech_heads": Purpose(
        "Phones, closures and opening from Whisper's features",
        "What lips need to know about the sound, offline and live.",
        "English, Russian and the languages of the synthetic voices; phones of Mandarin are poor.",
    ),
    "phonetic": Purpose(
        "Small audio encoder",
        "Features of speech for methods that do not use Whisper's.",
        "Few voices (see sources): voices and rooms unlike them cost correlation.",
    ),
    "closing": Purpose(
        "Lip closures from the small encoder's features",
        "Marks p, b and m, so that lips meet.",
        "As the encoder it reads.",
    ),
    "opening": Purpose(
        "Lip opening from the small encoder's features",
        "Steadies the opening of generated lips.",
        "As the encoder it reads.",
    ),
    "sync_expert": Purpose(
        "Does this mouth belong to this sound?",
        "A training loss and a score for talking videos.",
        "Trained on two people; its rating of others is measured per person before it is used.",
    ),
}  # fmt: skip


def card(path: Path) -> str:
    """The card of one file."""
    found, purpose = read_checkpoint(path), PURPOSES.get(path.stem)
    if purpose is None:
        raise SystemExit(f"{path.name} has no entry in PURPOSES")
    values = sum(tensor.numel() for tensor in found.tensors.values())
    rows = {
        "file": f"`{path.name}`, {path.stat().st_size / 1e6:.1f} MB, {values / 1e6:.2f} M values",
        "digest": f"`{found.digest}`",
        "intended use": purpose.use,
        "limits": purpose.limits,
        **_facts(found),
        "bias by voice": _bias(path.stem, found.digest),
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items() if value]
    return "\n".join([f"\n## `{path.stem}`: {purpose.title}\n", "| | |", "|---|---|", *lines, ""])


def _facts(found: Checkpoint) -> dict[str, str]:
    facts = found.facts
    data = facts.get("data")
    sources = facts.get("sources") or facts.get("speech")
    return {
        "licence": str(facts.get("licence", "Apache-2.0")),
        "data": str(data).replace(*EARLIER_WORDS) if isinstance(data, str) else "",
        "began with": _began_with(facts.get("began_with")),
        "sources": _sources(sources) if isinstance(sources, dict) else "",
        "training": _training(facts.get("training")),
        "credit": "; ".join(map(str, credit))
        if isinstance(credit := facts.get("credit"), list)
        else str(credit or ""),
    }


def _bias(method: str, digest: str) -> str:
    """Measured scores of synthetic voices by pitch and language; nothing for files that were not
    measured, or were measured with other weights.
    """
    methods = json.loads(VOICE_BIAS.read_text(encoding="utf-8"))["methods"]
    measured = methods.get(method)
    if measured is None or measured["weights"] != digest:
        return ""
    parts = [_bias_of(measured["pitch"]), _bias_of(measured["language"])]
    return (
        "correlation of the lip opening with that which the phones alone give, and share of p, b"
        f" and m that close: {'; '.join(parts)} (synthetic voices, most of them in training sets;"
        " [how](#bias-by-voice))"
    )


def _bias_of(groups: Mapping[str, Mapping[str, float]]) -> str:
    """`en 0.71, 0.93 (28)` for every group with closures."""
    return ", ".join(
        f"{name} {own['opening_r']:.2f}, {own['closed']:.2f} ({own['voices']:.0f})"
        for name, own in groups.items()
        if own["closures"]
    )


def _began_with(digest: JsonValue) -> str:
    """Weights that this training continued; what those learned from counts too."""
    if not digest:
        return ""
    return f"weights `{str(digest)[:12]}`, trained on earlier sets ([DATA.md](../../DATA.md))"


def _sources(sources: Mapping[str, JsonValue]) -> str:
    """Amounts by source and licence: `GRID s1 bbaf4p (CC-BY-4.0)` is a clip of the first."""
    hours: dict[str, float] = defaultdict(float)
    for name, amount in sources.items():
        if isinstance(amount, dict):  # a source of speech with its licences
            licences = amount.get("licences")
            first = str(licences[0]) if isinstance(licences, list) and licences else ""
            hours[f"{name} ({first})"] += float(str(amount.get("minutes", 0))) / 60
            continue
        hours[_source_of(name)] += float(str(amount))
    ordered = sorted(hours.items(), key=lambda item: -item[1])
    return "; ".join(f"{name} {value:.2f} h" for name, value in ordered)


def _source_of(clip: str) -> str:
    match = re.fullmatch(r"(.*?)\s+\S+\s+\((.*)\)", clip)
    return f"{match[1]} ({match[2]})" if match else clip


def _training(training: JsonValue) -> str:
    if not isinstance(training, dict):
        return ""
    shown = ("minutes", "batch", "learning_rate")
    return ", ".join(
        f"{name.replace('_', ' ')} {training[name]}"
        for name in shown
        if training.get(name) is not None
    )


def page() -> str:
    """The whole page."""
    cards = [card(path) for path in sorted(WEIGHTS.glob("*.safetensors"))]
    return HEAD + "".join(cards)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
