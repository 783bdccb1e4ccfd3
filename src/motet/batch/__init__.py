"""Batches: jobs, the ledger of what is done, manifests, and the processes that run the jobs."""
