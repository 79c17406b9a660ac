# SPDX-License-Identifier: GPL-2.0-only
"""templates.py - data directories of database servers, made once for a build directory and then copied.

What is in one is told by its name and by the source that fills it: when that changes, a new one is made. Where the build directory
cannot be written, nothing is kept and each server makes its own.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIR = os.path.join(os.path.abspath(os.environ.get("O", os.path.join(TOP, "build"))), "tests", "templates")


def name(kind, source, *more):
    """The name of the template that the file @source fills for a server; @more tells apart what it can fill."""
    with open(source, "rb") as file:
        text = file.read() + repr((os.uname().machine, more)).encode()
    return "%s-%s" % (kind, hashlib.sha256(text).hexdigest()[:16])


def take(template, to):
    """Copies a template to @to, with its owners; whether there is one."""
    made = os.path.join(DIR, template)
    if not os.path.isdir(made):
        return False
    subprocess.run(["cp", "-a", "--reflink=auto", made, to], check=True)
    return True


def keep(template, data):
    """Makes the directory @data a template. No server may be writing there."""
    try:
        os.makedirs(DIR, exist_ok=True)
        fresh = tempfile.mkdtemp(dir=DIR, prefix="new.")
    except OSError:
        return
    try:
        subprocess.run(["cp", "-a", data, os.path.join(fresh, "data")], check=True)
        os.rename(os.path.join(fresh, "data"), os.path.join(DIR, template))
    except (OSError, subprocess.CalledProcessError):
        pass  # another test was first, or the disk is full
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
