"""`motet data track`: a video of a speaking face to a recording in the house space, with a report
on its quality.
"""

from motet.tracking.track import QualityReport, TrackOptions, track_video

__all__ = ["QualityReport", "TrackOptions", "track_video"]
