"""What the C library and the interpreter keep of freed memory, and how it goes back to the system.

Freed memory is kept in three places. The C library keeps blocks below a threshold, for each thread apart. The
interpreter keeps blocks of objects that died, by kind. And its small objects live in pieces of 1 MB, of which one goes
back when it is empty: a single object that is still in use keeps it. So some always stays.
"""

import ctypes
import gc

#: Blocks of that size go back to the system as soon as they are free. By default the C library keeps what will be
#: needed again: after a few large bodies, hundreds of megabytes.
_LARGE_BLOCK_BYTES = 2**20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_no_large_blocks() -> None:
    """Have large blocks go back to the system when they are freed, where the C library is glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            mallopt(parameter, _LARGE_BLOCK_BYTES)


def give_back() -> None:
    """Give back what is freed and still kept; it takes milliseconds, in which no other thread of Python runs."""
    gc.collect()  # a full collection empties the interpreter's lists of blocks, which lie among everything else
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
