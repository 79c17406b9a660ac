# SPDX-License-Identifier: GPL-2.0-only
"""part.py - runs those tests of a file that may run beside others, or those that must run alone, as its head says.

usage: part.py together|alone FILE [unittest's options]

FILE's first 20 lines say "# ALONE: NAME...: why". NAME is a Class, a Class.test_name or a test_name, and may be a glob. A name that is no
test of the file is an error, so that none gets lost.
"""

import fnmatch
import importlib.util
import os
import re
import sys
import unittest


def alone_of(path):
    """The names in the head of a file."""
    with open(path) as file:
        head = [line for _, line in zip(range(20), file)]
    names = [name for line in head for found in re.findall(r"^# ALONE: ([^:]*):", line) for name in found.split()]
    if not names:
        sys.exit("part: %s does not say which of its tests run alone" % path)
    return names


class Loader(unittest.TestLoader):
    """Loads the tests that are named, or the others."""

    def __init__(self, names, alone):
        super().__init__()
        self.names, self.alone, self.unknown = names, alone, set(names)

    def getTestCaseNames(self, testCaseClass):
        return [name for name in super().getTestCaseNames(testCaseClass) if self.is_named(testCaseClass, name) == self.alone]

    def is_named(self, cls, test):
        hit = {name for name in self.names
               if any(fnmatch.fnmatchcase(one, name) for one in (cls.__name__, test, cls.__name__ + "." + test))}
        self.unknown -= hit
        return bool(hit)


def main():
    part, path = sys.argv[1:3]
    if part not in ("together", "alone"):
        sys.exit(__doc__)
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loader = Loader(alone_of(path), part == "alone")
    program = unittest.main(module=module, testLoader=loader, argv=[path, *sys.argv[3:]], exit=False)
    if loader.unknown:
        sys.exit("part: %s has no tests that are called %s" % (path, ", ".join(sorted(loader.unknown))))
    sys.exit(not program.result.wasSuccessful())


if __name__ == "__main__":
    main()
