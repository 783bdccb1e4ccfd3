"""The former place of `motet.phonetics.phones`; kept so that code written against it goes on working."""

from motet.phonetics.phones import *  # noqa: F403
