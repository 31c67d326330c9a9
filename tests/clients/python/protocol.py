"""The driver's side of the matrix: a line in, a line of JSON out; and what old packages miss in a new Python."""

import collections
import collections.abc
import importlib.metadata
import json
import os
import sys
import traceback

# Moved in Python 3.3 and gone from here since 3.10: botocore before 1.13.50 imports them.
for name in ("Mapping", "MutableMapping", "Callable"):
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))

# A row that is called otherwise than what is installed for it would make the table say what was never run.
NAME, VERSION = os.path.basename(os.environ["MATRIX_HOME"]).rsplit("-", 1)
FOUND = importlib.metadata.version(NAME)
if FOUND != VERSION:
    sys.exit(f"{NAME} {FOUND} is installed for {NAME}-{VERSION}: give row, pin and version one number")


class Said(Exception):
    """What a program printed: shown as it is."""


def serve(identity, later=None):
    """Answers until stdin ends. `identity` makes one signed call or raises; `later` moves the refresh clock."""
    # What a library prints is no answer.
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        command, *arguments = line.split()
        try:
            {"identity": identity, "later": later}[command](*arguments)
            answer = {"ok": True}
        except Said as said:
            answer = {"error": str(said)}
        except BaseException as error:  # whatever it is, Rust's panics too: it is what a developer would see
            answer = {"error": "".join(traceback.format_exception_only(type(error), error)).strip()}
        print(json.dumps(answer), file=out, flush=True)
