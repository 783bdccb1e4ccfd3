"""The small mouth of the metric tests serves the evaluation tests too."""

from tests.metrics.conftest import gauge

__all__ = ["gauge"]
