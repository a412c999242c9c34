"""What is wrong with a recording."""


def one_line(error: BaseException) -> str:
    """What an error says, for a log or a table."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


class RecordingError(ValueError):
    """A recording that cannot be read or written; the text says why and what to do."""
