"""The former place of `motet.rigs.lips`; kept so that code written against it goes on working."""

from motet.rigs.lips import *  # noqa: F403
