"""The house front end: a small streaming network that knows phones, distilled from Whisper (see
README.md).
"""
