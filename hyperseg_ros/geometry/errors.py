"""What is wrong with a calibration, a pose or a depth image: one sentence that says what to do."""


class GeometryError(ValueError):
    """What was given does not allow measuring in metres; labels are not affected."""


class CalibrationError(GeometryError):
    """A camera's calibration that is missing, of another image size, or of an unknown lens."""


class PoseError(GeometryError):
    """A camera pose from which no ground is seen."""


class DepthError(GeometryError):
    """A depth image or cloud that does not belong to the labels."""
