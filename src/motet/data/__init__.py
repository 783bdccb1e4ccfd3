"""Training motion: recordings on disk, corpora, readers of public data sets."""
