"""Scripts as a user calls them: without data, network or cache; many command lines in one process where that will do.

Importing TensorFlow takes seconds, so `called` does it once, and each command line is a child of that process.
"""

import json
import os
import re
import subprocess
import sys

from checkout import ROOT

# What may stand on stderr beside the one line of a mistake: progress bars and TensorFlow's own log.
NOISE = re.compile(r"\s*$|.*epoch(/s)? ?[\[,\]]|.*\d+epoch|[IWE]\d{4} |WARNING: All log messages")
CHILDREN = """
import gc, importlib, json, os, sys
from common import experiment
from common.evaluation import judge, nats

gc.freeze()  # children end without walking through all that TensorFlow brought: 0.3 instead of 1.4 s each
for number, (script, flags) in enumerate(json.load(sys.stdin)):
    child = os.fork()
    if not child:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{number}.{name}", os.O_CREAT | os.O_TRUNC | os.O_WRONLY), stream)
        module = importlib.import_module(f"reproductions.{script}")
        sys.argv = [module.__file__, *flags]
        experiment.main(module.main)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def environment(folder):
    """No data, no network, an empty cache below `folder`, no data sets in the user's home."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REPRO_")}
    cache = str(folder / "cache")
    return kept | {"PYTHONPATH": str(ROOT), "REPRO_OFFLINE": "1", "REPRO_CACHE": cache, "HOME": str(folder)}


def called(lines, folder):
    """Finished processes of [("ahmed_ch4.ood", flags), ...], one after the other, run in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", CHILDREN], env=environment(folder), input=json.dumps(lines), cwd=folder,
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = []
    for n, (line, code) in enumerate(zip(lines, done.stdout.split(), strict=True)):
        said = ((folder / f"{n}.{stream}").read_text() for stream in ("out", "err"))
        found.append(subprocess.CompletedProcess(line, int(code), *said))
    return found
