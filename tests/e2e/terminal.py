# SPDX-License-Identifier: GPL-2.0-only
"""terminal.py - a terminal for tests of programs that draw on one: tmux with a server of its own."""

import os
import shutil
import subprocess
import tempfile
import time

PATIENCE = float(os.environ.get("SONDE_TEST_PATIENCE", "1"))


def why_not():
    """Why there is none, or None."""
    return None if shutil.which("tmux") else "needs tmux (scripts/setup.sh test)"


class Terminal:
    """A shell in a terminal of a known size; what stands on it can be read."""

    def __init__(self, width=80, height=24, env=()):
        self.dir = tempfile.mkdtemp(prefix="term.", dir="/tmp")  # a socket's path must be short
        self.name = "sonde%d" % os.getpid()
        self.env = dict(os.environ, TMUX_TMPDIR=self.dir, LANG="C.UTF-8", LC_ALL="C.UTF-8", PS1="$ ", TZ="UTC", **dict(env))
        self.env.pop("TMUX", None)
        self.tmux("-f", "/dev/null", "-u", "new-session", "-d", "-x", str(width), "-y", str(height), "sh")
        self.tmux("set-option", "-g", "status", "off")
        self.size(width, height)

    def tmux(self, *args):
        done = subprocess.run(["tmux", "-L", self.name, *args], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=20 * PATIENCE)
        if done.returncode:
            raise RuntimeError("tmux %s: %s" % (args, done.stderr))
        return done.stdout

    def close(self):
        subprocess.run(["tmux", "-L", self.name, "kill-server"], env=self.env, stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def size(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def type(self, text):
        """Characters as they are."""
        self.tmux("send-keys", "-l", text)

    def press(self, *keys):
        """Keys by tmux's names: Enter, Escape, Tab, Up, ..."""
        self.tmux("send-keys", *keys)

    def run(self, command):
        self.type(command)
        self.press("Enter")

    def text(self, styles=False):
        return self.tmux("capture-pane", "-p", *(["-e"] if styles else []))

    def lines(self):
        return self.text().split("\n")

    def other_screen(self):
        """Whether the screen is the one that programs draw on."""
        return self.tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    def wait(self, found, seconds=20, what=""):
        """Until @found(text) is true; returns that, and the text is in self.last."""
        end = time.monotonic() + seconds * PATIENCE
        while True:
            self.last = self.text()
            result = found(self.last)
            if result:
                return result
            if time.monotonic() > end:
                raise AssertionError("never seen: %s\n%s" % (what or found, self.last))
            time.sleep(0.1)

    def wait_for(self, text, seconds=20):
        return self.wait(lambda screen: text in screen, seconds, text)

    def wait_gone(self, text, seconds=20):
        return self.wait(lambda screen: text not in screen, seconds, "no " + text)
