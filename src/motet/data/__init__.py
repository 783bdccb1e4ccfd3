"""Motion to learn from: the clip format, readers of tracked recordings, the tracker, and the maker
of performances.
"""
