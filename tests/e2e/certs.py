# SPDX-License-Identifier: GPL-2.0-only
"""certs.py - a key and a certificate that it has signed itself, for the servers of a test."""

import os
import shutil
import subprocess


def make(directory, owner=None, name="server"):
    """Returns the paths of certificate and key."""
    crt, key = (os.path.join(directory, name + end) for end in (".crt", ".key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", crt],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)
    if owner:
        for path in (crt, key):
            shutil.chown(path, owner, owner)
    return crt, key
