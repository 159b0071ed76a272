"""Compressed request bodies, inflated no further than a bound. For the pool: it may take long."""

import zlib

from model_service.errors import MediaTypeUnsupported, PayloadMalformed

#: What a body may be compressed with, as the header ``Accept-Encoding`` says it.
ENCODINGS = "gzip, deflate"
_GZIP = zlib.MAX_WBITS | 16


def inflate(raw: bytes, encoding: str, max_bytes: int) -> bytes:
    """Return the body that was compressed, or its first ``max_bytes + 1`` bytes, which tell that it is too large.

    Args:
        raw: The body as it was sent.
        encoding: The value of the header ``Content-Encoding``.
        max_bytes: No more than one byte beyond it is ever held, whatever the body would inflate to.

    Raises:
        MediaTypeUnsupported: It is compressed in another way, or more than once.
        PayloadMalformed: It is not what the header says, or is cut off.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return raw
    if name in ("gzip", "x-gzip"):
        return _inflate(raw, "gzip", _GZIP, max_bytes)
    if name == "deflate":
        # RFC 9110 means zlib's format; some clients send what is inside it.
        return _inflate(raw, name, zlib.MAX_WBITS if _is_zlib(raw) else -zlib.MAX_WBITS, max_bytes)
    raise MediaTypeUnsupported("the body is compressed in another way; send 'content-encoding: gzip', or none")


def _is_zlib(raw: bytes) -> bool:
    return len(raw) > 1 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2], "big") % 31 == 0


def _inflate(raw: bytes, name: str, window_bits: int, max_bytes: int) -> bytes:
    stream = zlib.decompressobj(window_bits)
    try:
        inflated = stream.decompress(raw, max_bytes + 1)
    except zlib.error:
        raise PayloadMalformed(f"the body is not {name}, though content-encoding says so") from None
    if len(inflated) <= max_bytes:
        if not stream.eof:
            raise PayloadMalformed(f"the {name} body is cut off; send all of it")
        if stream.unused_data:
            raise PayloadMalformed(f"something follows the end of the {name} body; send nothing after it")
    return inflated
