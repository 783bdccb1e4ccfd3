"""glTF 2.0 from arrays: the container, figures with morph targets and skin, animation, and other
people's avatars.
"""
