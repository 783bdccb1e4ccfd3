"""glTF 2.0 from arrays: container, figures, animation, and users' avatars."""
