"""`Certificates`: the certificate of a running server, loaded again when its files change.

The new one is for new connections; those that are open go on with theirs. Files that do not fit each other, as while
one of the two has been replaced, change nothing: they are tried in a context of their own first.
"""

import logging
import os
import ssl
import time
from pathlib import Path

logger = logging.getLogger(__name__)

#: How often the files are looked at.
LOOK_S = 1.0


class Certificates:
    """Looks after the TLS context of one server. For the loop's thread.

    Args:
        context: What connections are made with.
        certificate: File of the chain.
        key: File of its private key.
    """

    def __init__(self, context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        self._context = context
        self._files = certificate, key
        self._looked = time.monotonic()
        self._signature = self._sign()

    def look(self) -> None:
        """Load the files if they have changed."""
        now = time.monotonic()
        if now < self._looked + LOOK_S:
            return
        self._looked = now
        signature = self._sign()
        if signature == self._signature:
            return
        self._signature = signature
        certificate, key = self._files
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
            self._context.load_cert_chain(certificate, key)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            logger.error("the new TLS files cannot be used, so the old certificate stays: %s", error)
        else:
            logger.info("the TLS certificate has been loaded again, for new connections")

    def _sign(self) -> list[tuple[int, ...] | None]:
        """Return what is another whenever one of the files is."""
        signs: list[tuple[int, ...] | None] = []
        for path in self._files:
            try:
                status = os.stat(path)
            except OSError:
                signs.append(None)
            else:
                signs.append((status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        return signs
