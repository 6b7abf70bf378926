"""Text from outside, made safe to show: it can neither begin a line of its own nor steer a terminal."""


def printable(text: str) -> str:
    """Write characters that no terminal shows, or that steer one, as escape sequences."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
