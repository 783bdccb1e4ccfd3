"""The small streaming model that ships."""
