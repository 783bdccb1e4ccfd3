"""The former place of `motet.phonetics.alignment`; kept so that code written against it goes on working."""

from motet.phonetics.alignment import *  # noqa: F403
