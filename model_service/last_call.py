"""A listening socket that takes nobody new, and keeps who has come: for the end of a worker.

The kernel makes connections before anyone accepts them, and resets those that wait when the socket is closed. So
first of all no more are begun: a filter on the socket drops every packet that would begin one. Their callers try again
a second later, and find another worker, the next service, or nobody. Those who wait are accepted; then nobody is left.
"""

import ctypes
import socket
import struct
import sys
from contextlib import suppress

# Classic BPF, as in linux/filter.h: (operation, jump if true, jump if false, operand). A packet begins with its TCP
# header, of which the 14th byte has the flags; what is returned is how many bytes of the packet are kept.
_SYN_IS_DROPPED = (
    (0x30, 0, 0, 13),  # load that byte
    (0x45, 0, 1, 0x02),  # SYN?
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27


def turn_away(listener: socket.socket) -> None:
    """Let no connection begin any more, on a socket of TCP; those that have begun wait to be accepted."""
    try:
        _attach_filter(listener)
    except OSError:  # no Linux, or a sandbox: the queue takes one at a time, of which the last may be lost
        listener.listen(0)


def let_in(listener: socket.socket) -> None:
    """Undo `turn_away`, but for the length of the queue."""
    if sys.platform == "linux":
        with suppress(OSError):  # there is no filter
            listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _attach_filter(listener: socket.socket) -> None:
    if sys.platform != "linux":
        raise OSError("no filters")
    code = b"".join(struct.pack("HBBI", *each) for each in _SYN_IS_DROPPED)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HL", len(_SYN_IS_DROPPED), ctypes.addressof(buffer))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
