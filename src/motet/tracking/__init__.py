"""`motet data track`: from a video of a speaking face to a recording and a quality report."""

from motet.tracking.track import QualityReport, TrackOptions, track_video

__all__ = ["QualityReport", "TrackOptions", "track_video"]
