"""Scripts as a user calls them: without data, network or cache; all command lines of a test run fork from one process.

Importing TensorFlow takes seconds, so one process does it once, and each command line of `called` is a child of it.
"""

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from checkout import ROOT

# What may stand on stderr beside the one line of a mistake: progress bars and TensorFlow's own log.
NOISE = re.compile(r"\s*$|.*epoch(/s)? ?[\[,\]]|.*\d+epoch|[IWE]\d{4} |WARNING: All log messages")
SERVER = """
import gc, importlib, json, os, sys
from common import experiment
from common.evaluation import judge, nats

gc.freeze()  # children end without walking through all that TensorFlow brought: 0.3 instead of 1.4 s each
for asked in sys.stdin:
    lines, folder, environment = json.loads(asked)
    codes = []
    for number, (script, flags) in enumerate(lines):
        child = os.fork()
        if not child:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            for stream, name in ((0, os.devnull), (1, f"{number}.out"), (2, f"{number}.err")):
                os.dup2(os.open(name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY if stream else os.O_RDONLY), stream)
            module = importlib.import_module(f"reproductions.{script}")
            sys.argv = [module.__file__, *flags]
            experiment.main(module.main)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(json.dumps(codes), flush=True)
"""


def environment(folder):
    """No data, no network, an empty cache below `folder`, no data sets in the user's home."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REPRO_")}
    cache = str(folder / "cache")
    return kept | {"PYTHONPATH": str(ROOT), "REPRO_OFFLINE": "1", "REPRO_CACHE": cache, "HOME": str(folder)}


@functools.cache
def server():
    """The process that has imported everything; it ends when this one does, since its input ends then."""
    home = Path(tempfile.mkdtemp())
    return subprocess.Popen(
        [sys.executable, "-c", SERVER], env=environment(home), cwd=home, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def called(lines, folder):
    """Finished processes of [("ahmed_ch4.ood", flags), ...], one after the other, run in `folder`."""
    print(json.dumps([lines, str(folder), environment(folder)]), file=server().stdin, flush=True)
    answer = server().stdout.readline()
    assert answer, f"the process that runs command lines ended with {server().wait()}; stderr has its reason"
    codes = json.loads(answer)
    found = []
    for n, (line, code) in enumerate(zip(lines, codes, strict=True)):
        said = ((folder / f"{n}.{stream}").read_text() for stream in ("out", "err"))
        found.append(subprocess.CompletedProcess(line, code, *said))
    return found
