"""The one kind of error that is the user's to correct, and text that is safe to show."""

from __future__ import annotations

import unicodedata

CONTROL_CATEGORIES = ("Cc", "Cf", "Zl", "Zp", "Cs")
"""Unicode's categories of control and format characters, of line and paragraph separators, and of lone surrogates."""

OUT_OF_MEMORY = ("not enough memory", "out of memory", "can't allocate memory")
"""What torch says of the processor's and of a GPU's memory."""


class UserError(Exception):
    """A mistake in a setting, a file or the environment.

    Its message is one line that names the key or the file at fault and says what to do. Whatever catches it shows that
    line without a traceback.
    """


class DamagedError(UserError):
    """A file of the pipeline's own whose content is not what was written.

    Args:
        path: the file.
        reason: what is wrong with it, in a few words.
    """

    def __init__(self, path: object, reason: str):
        super().__init__(f"{path}: damaged ({reason})")
        self.path = str(path)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it is Python's, or torch's for the processor or a GPU, which are `RuntimeError`s there."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY)


def first_line(error: BaseException) -> str:
    """The first line of an error's message that is not empty, or its type if it has none: to be quoted in a `UserError`."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def escape_control_characters(text: str) -> str:
    """The text on one line, so that no name of a file or a class forges a line of a log or moves the cursor of a terminal."""
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in CONTROL_CATEGORIES else c for c in text
    )
