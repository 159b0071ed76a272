"""Length-prefixed JSON between a web process and a model process. It knows no model.

A frame is four bytes, the length of the rest as a big-endian unsigned integer, and
a JSON object in UTF-8. JSON and not pickle: opening a pickle runs code, and neither
side needs to trust the other's.
"""

import json
import socket
import struct
from typing import Any

_HEADER = struct.Struct(">I")
#: More than the largest request body that a default configuration accepts, in either direction.
MAX_FRAME_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024

Frame = dict[str, Any]


class FrameBroken(Exception):
    """What was received is no frame: too long, or not a JSON object. The connection is of no more use."""


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of a frame.

    Raises:
        ValueError, TypeError: It holds NaN, or something that is no JSON type.
        FrameBroken: It is longer than `MAX_FRAME_BYTES`.
    """
    raw = json.dumps(frame, allow_nan=False, separators=(",", ":")).encode("utf-8")
    if len(raw) > MAX_FRAME_BYTES:
        raise FrameBroken(f"a frame of {len(raw)} bytes is longer than {MAX_FRAME_BYTES}")
    return _HEADER.pack(len(raw)) + raw


class FrameReader:
    """Collects the bytes of one connection into frames. For one thread."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, raw: bytes) -> list[bytes]:
        """Return the frames that ``raw`` completes, in order, for `decode_frame`.

        Raises:
            FrameBroken: The bytes are no frame.
        """
        self._buffer += raw
        frames: list[bytes] = []
        while len(self._buffer) >= _HEADER.size:
            (length,) = _HEADER.unpack_from(self._buffer)
            if length > MAX_FRAME_BYTES:
                raise FrameBroken(f"a frame of {length} bytes is longer than {MAX_FRAME_BYTES}")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                break
            frames.append(bytes(self._buffer[_HEADER.size : end]))
            del self._buffer[:end]
        return frames


def receive_frames(connection: socket.socket, reader: FrameReader) -> list[Frame]:
    """Read once and return the frames that were completed; an empty read raises `EOFError`."""
    raw = connection.recv(_CHUNK_BYTES)
    if not raw:
        raise EOFError("the other side closed the connection")
    return [decode_frame(frame) for frame in reader.feed(raw)]


def decode_frame(raw: bytes) -> Frame:
    """Return what a frame holds.

    Raises:
        FrameBroken: It is not a JSON object.
    """
    try:
        frame = json.loads(raw)
    except ValueError as error:
        raise FrameBroken("a frame holds no JSON") from error
    if not isinstance(frame, dict):
        raise FrameBroken("a frame holds no JSON object")
    return frame
