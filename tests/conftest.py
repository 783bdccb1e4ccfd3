"""Property tests draw the same examples every time, so that what passed once passes everywhere;
`MOTET_EXPLORE=1` draws new ones."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("exploring", deadline=None)
settings.load_profile("exploring" if os.environ.get("MOTET_EXPLORE") else "steady")
