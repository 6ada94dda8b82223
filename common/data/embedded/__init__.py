"""Data sets that need nothing: made in seconds, the same bytes everywhere, never stored."""

from functools import partial

from common.data.embedded.digits import digits
from common.data.embedded.english import english
from common.data.embedded.faces import faces
from common.data.embedded.rooms import rooms
from common.data.embedded.sprites import sprites

SETS = {
    "digits": digits,
    "faces64": partial(faces, 64),
    "rooms32": partial(rooms, 32),
    "rooms64": partial(rooms, 64),
    "sprites": partial(sprites, 64),
    "sprites32": partial(sprites, 32),
}

__all__ = ["SETS", "english"]
