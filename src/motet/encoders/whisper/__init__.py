"""Whisper's audio encoder: offline in long windows, as a stream in sliding ones (see README.md)."""

from motet.encoders.whisper.ctranslate2 import load_whisper, read_ctranslate2
from motet.encoders.whisper.network import WhisperEncoder, log_mel, steps_of_samples

__all__ = ["WhisperEncoder", "load_whisper", "log_mel", "read_ctranslate2", "steps_of_samples"]
