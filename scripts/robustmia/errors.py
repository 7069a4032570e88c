"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """A mistake in a setting, a file or the environment.

    Its message is one line that names the key or the file at fault and says what to do. Whatever catches it shows that
    line without a traceback.
    """


def in_one_line(error: BaseException) -> str:
    """What an error says, as a part of a `UserError`'s line: its first sentence-like line, or its kind if it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
