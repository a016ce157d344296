"""TLS of a page that others than this machine can reach: certificate and key out of two files, 1.2 or newer."""

import os
import ssl
import stat
from pathlib import Path

from engine.paths import PathError


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Raises PathError where a file cannot be used, or others could read the key."""
    _check_private(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except FileNotFoundError:
        raise PathError(f"{certificate}: there is no such file") from None
    except (ssl.SSLError, OSError) as error:
        raise PathError(
            f"{certificate}: must be a certificate in PEM with the key of {key}: {error.strerror}"
        ) from None
    return context


def client_context(certificate: Path) -> ssl.SSLContext:
    """For a client on this host: that very certificate is trusted, whatever name or number it was reached by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    # The server's own certificate is the anchor, whoever has signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(certificate)
    except (ssl.SSLError, OSError) as error:
        raise PathError(f"{certificate}: must be a certificate in PEM: {error.strerror}") from None
    return context


def _check_private(key: Path) -> None:
    try:
        about = key.stat()
    except OSError as error:
        raise PathError(f"{key}: cannot be read: {error.strerror}") from None
    if about.st_uid not in (os.geteuid(), 0):
        raise PathError(f"{key}: must belong to the user that runs this, was uid {about.st_uid}")
    if stat.S_IMODE(about.st_mode) & 0o077:
        raise PathError(f"{key}: must have mode 0600, was {stat.S_IMODE(about.st_mode):04o}: others could read the key")
