"""Compilation by Numba, kept on disk: who starts a second time compiles nothing.

Import `compiled` from here instead of `njit` from Numba: where Numba keeps its files must be settled before the first
function is compiled.
"""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
from numba import config, njit

_config: Any = config  # which Numba fills when it is imported
_config.LOOP_VECTORIZE = _config.SLP_VECTORIZE = 0
"""Loops here are short: vectors cost seconds of compilation, and gain nothing."""
_Function = TypeVar("_Function", bound=Callable[..., object])

_PRIVATE: Final = 0o700
_SHIPPED: Final = Path(sys.prefix) / "share" / "sakimori" / "compiled"
"""What was compiled when an image was built (precompile.py), for any processor; as safe as the code beside it."""


def _candidates() -> Iterator[Path]:
    """Name the places that may do: the user's cache, else a folder of our own among the temporary files."""
    if cache := os.environ.get("XDG_CACHE_HOME"):
        yield Path(cache) / "sakimori" / "numba"
    elif home := os.environ.get("HOME"):
        yield Path(home) / ".cache" / "sakimori" / "numba"
    yield Path(tempfile.gettempdir()) / f"sakimori-numba-{os.getuid()}"


@lru_cache
def version_of(package: Path) -> str:
    """Name this version of a package's sources.

    Numba compares only the file of a function itself, not those of the functions that it calls: a changed callee would
    be overlooked. So each version has a folder of its own, and each version of Numba and kind of processor, too: what
    lies there is then either what is needed or nothing.
    """
    digest = sha256(f"{numba.__version__} {_config.CPU_NAME}".encode())
    for path in sorted(package.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def is_ours(folder: Path) -> bool:
    """Make a folder that only we can write, or say that it cannot be had.

    What lies there is unpickled, so whoever can write it can run code here: a folder of another user, or one that
    others may write, is refused.
    """
    try:
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    is_private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return is_private and os.access(folder, os.W_OK | os.X_OK)


def cache_folder() -> Path | None:
    """Tell where compiled code is kept; None where nothing can be written, and every start compiles."""
    if explicit := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(explicit)
    return next((place for place in _candidates() if is_ours(place)), None)


def take_over(shipped: Path, folder: Path) -> None:
    """Begin a folder with what was shipped, if there is any; not one that is there, for it may hold more.

    Numba can only use folders that it can write. Where copying fails, it compiles.
    """
    if folder.exists() or not shipped.is_dir():
        return
    with suppress(OSError):  # another process was faster, or there is no room
        folder.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            shutil.copytree(shipped, Path(made) / "all").rename(folder)


_FOLDER: Final = cache_folder()


def compiled(function: _Function) -> _Function:
    """Make a function machine code: without the interpreter's lock, kept on disk, division by zero as in NumPy."""
    if _FOLDER is not None:
        version = version_of(Path(function.__code__.co_filename).parent)
        take_over(_SHIPPED / version, _FOLDER / version)
        _config.CACHE_DIR = str(_FOLDER / version)
    return _made(function, cache=_FOLDER is not None)


def inlined(function: _Function) -> _Function:
    """Make a function a part of the compiled ones that call it: nothing of it is kept apart, Python cannot call it.

    For what most packets need. LLVM alone inlines little of what Numba makes, since every call has a test for
    exceptions: the fast path took twice as long.
    """
    return _made(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


def called(function: _Function) -> _Function:
    """Make a function that only compiled ones call: for what few packets need, since it compiles faster."""
    return _made(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _made(function: _Function, **options: Any) -> _Function:
    return cast("_Function", njit(nogil=True, error_model="numpy", **options)(function))
