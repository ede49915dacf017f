"""Why a training stops: one line for the person at the terminal."""


class TrainingError(Exception):
    """The training cannot go on; the message says what was found and what was expected."""
