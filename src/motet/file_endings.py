"""Endings of files with sound, by which the recordings of a folder are found."""

SOUND_ENDINGS = frozenset((
    ".aac", ".aif", ".aiff", ".amr", ".flac", ".m4a", ".mp2", ".mp3", ".oga", ".ogg", ".opus",
    ".wav", ".wma",
))  # fmt: skip
VIDEO_ENDINGS = frozenset((
    ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm",
))  # fmt: skip
