"""The one kind of error that is the user's to mend, and words that are safe to show."""

from __future__ import annotations

import unicodedata


class UserError(Exception):
    """A mistake in a setting, a file or the environment.

    Its message is one line that names the key or the file at fault and says what to do. Whatever catches it shows that
    line without a traceback.
    """


def in_one_line(error: BaseException) -> str:
    """What an error says, as a part of a `UserError`'s line: its first sentence-like line, or its kind if it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


class DamagedError(UserError):
    """A file of the pipeline's own whose content is not what was written.

    Args:
        path: the file.
        reason: what is wrong with it, in a few words.
    """

    def __init__(self, path: object, reason: str):
        super().__init__(f"{path}: damaged ({reason})")
        self.path = str(path)


def visible(text: str) -> str:
    """A text on one line, with control characters as escapes: no name of a file or a class forges a line or moves the cursor."""
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in HIDDEN else c for c in text)


HIDDEN = ("Cc", "Cf", "Zl", "Zp", "Cs")
"""Unicode's categories of control and format characters, of line and paragraph separators, and of lone surrogates."""
