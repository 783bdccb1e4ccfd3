"""Speech for training the phonetic encoder: one type of utterance, one folder format."""
