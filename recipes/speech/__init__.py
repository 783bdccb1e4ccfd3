"""Readers of public speech, one module a source; each yields `motet.data.speech.Utterance`s."""
