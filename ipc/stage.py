"""The stages of the pipeline, in the order in which a frame passes them."""

from enum import StrEnum


class Stage(StrEnum):
    """What can be done to a frame, as pools name it."""

    DECODE = "decode"
    TRANSFORM = "transform"
    ENCODE = "encode"


STAGES = tuple(Stage)
