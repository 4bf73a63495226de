"""Output that is not UTF-8, as a Windows pipe's: what its encoding lacks is spelled in ASCII.

Numbers and comparisons keep their meaning; letters and what is no text become the escapes that
Python writes, so that two names never become one.
"""

import codecs
import io
import sys

_SPELLED = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "±": "+-", "×": "x", "·": ".", "…": "...", "→": "->",
        "≥": ">=", "≤": "<=", "≠": "!=", "≈": "~", "▲": "^", "▼": "v", "’": "'", "‘": "'",
        "“": '"', "”": '"', "\u00a0": " ", "\u202f": " ",
    }
)  # fmt: skip


def spell_out_from_now_on() -> None:
    """Let the output take every sign, whatever its encoding."""
    codecs.register_error("prep.signs", _spell_out)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="prep.signs")


def _spell_out(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    spelled = error.object[error.start : error.end].translate(_SPELLED)
    return spelled.encode("ascii", "backslashreplace").decode("ascii"), error.end
