"""Recorded and synthesised speech with lawful origin, for training: one module a source, one type
of utterance.

`SOURCES` names the readers; `build_speech_corpus` in `motet.data.speech.corpus` turns them into one
folder.
"""
