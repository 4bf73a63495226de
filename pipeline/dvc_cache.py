"""What DVC keeps: has it stored a file with the bytes that this one has now?

Its cache names files by their MD5. What is there was recorded when a stage ended, or fetched: each
such version may be put back into the project, by `dvc checkout` or `dvc pull`.
"""

import hashlib
from functools import cache
from pathlib import Path


def digest_md5(path: Path) -> str:
    """Return the MD5 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def is_in_cache(root: Path, path: Path) -> bool:
    """Return whether the cache of a project's DVC holds a file's bytes, under their own name."""
    if not (root / ".dvc").is_dir():
        return False
    md5 = digest_md5(path)
    usual = root / ".dvc" / "cache" / "files" / "md5"
    return _holds(usual, md5) or _holds(_ask_for_cache(root), md5)


def _holds(cache_folder: Path | None, md5: str) -> bool:
    return cache_folder is not None and (cache_folder / md5[:2] / md5[2:]).is_file()


@cache
def _ask_for_cache(root: Path) -> Path | None:
    """Return where DVC's settings say that its cache is; a second is lost with asking."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            return Path(repo.cache.local.path)
    except (DvcException, OSError):  # OSError: it writes there, and may not in another's project
        return None  # whatever is wrong there is dvc repro's to tell
