"""What is wrong with a recording."""


class RecordingError(ValueError):
    """A recording that cannot be read or written; the text says why and what to do."""
