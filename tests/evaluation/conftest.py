"""The small mouth of the metric tests serves the evaluation tests too."""

from tests.metrics.conftest import lip_geometry

__all__ = ["lip_geometry"]
