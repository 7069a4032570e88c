"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """A mistake in a setting, a file or the environment.

    Its message is one line that names the key or the file at fault and says what to do. Whatever catches it shows that
    line without a traceback.
    """
