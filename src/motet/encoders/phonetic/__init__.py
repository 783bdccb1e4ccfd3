"""The shipped audio encoder: a small causal network with phonetic features, distilled from Whisper
(see README.md).
"""
