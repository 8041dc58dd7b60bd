"""The one error that users are meant to read."""


class InputError(Exception):
    """Something given to the pipeline is wrong: the message is all that the user sees.

    It names the file or the key, says what was expected and what was found, and what to do.
    """
