"""A toy room and its records, for the tests of pages, report and checker."""

from pathlib import Path

import numpy as np

from common.reporting.records import Record, save_scores

CLAIMS = """claim_id,where,what,unit,printed,kind,rule,tolerance,why_tolerance,settings
t1,Table 1,"AUPR, digit 0",percent,40.20,level,,1.5,test-sampling sd is 0.8,MNIST
t2,Table 1,"AUPR, digit 1 <script>",percent,5.98,level,,0.5,rounding,MNIST
o1,Section 4,VAE above GAN | by mean,percent,yes,order,>,,,MNIST
s1,Section 4,share of crisp samples,share,most,statement,> 0.6,,,MNIST
f1,Section 5,level on other faces,nats,87,level,> 80,1,two seeds,faces
i1,Eq. 7,closed form of the KL,nats,equal,identity,,1e-5,float32,
q1,Table 2,NLL of DRAW,nats,<=80.97,quoted,,,,
u1,Table 3,10000 faces,nats,4.5,level,,0.1,printed digits,faces
n1,Table 3,200000 faces,nats,3.5,level,,0.1,printed digits,CelebA
"""

MEASURES = '''"""Toy measures."""

from common.reporting.claims import Measurement, measure
from common.reporting.records import select


def ood(metric):
    return lambda records: measure(select(records, experiment="ood", dataset="mnist"), metric)


def too_short(records):
    return Measurement(reason="measured 9.5 after 20 steps; decided from 100 on")


def by_hand(records):
    return Measurement(values=(1e-7,), exact=True)


MEASURES = {
    "t1": ood("aupr0"),
    "t2": ood("aupr1"),
    "o1": ood("difference"),
    "s1": ood("crisp"),
    "f1": lambda records: measure(select(records, dataset="faces"), "nll"),
    "i1": by_hand,
    "u1": too_short,
}
NOT_RUN = {"n1": "needs the full CelebA, which is not at hand"}
'''

TABLES = '''"""Toy tables."""

import numpy as np

from common.reporting.figures import image_grid, save_image
from common.reporting.tables import Table


def make(records, results_dir):
    rows = [[record.name, record.seconds] for record in records]
    Table("Time of each run", ["run", "seconds"], rows, ["Wall time."]).write(results_dir / "toy" / "time")
    grid = image_grid(np.linspace(0, 1, 4 * 8 * 8).reshape(4, 8, 8), columns=2)
    save_image(grid, results_dir / "toy" / "figures" / "grid.png", "Four squares & more", zoom=4)
'''


def write_room(folder: Path, name: str = "toy") -> Path:
    """Write the room below `folder` and return `folder`."""
    room = folder / name
    room.mkdir(parents=True)
    (room / "claims.csv").write_text(CLAIMS)
    (room / "claims.py").write_text(MEASURES)
    (room / "tables.py").write_text(TABLES)
    (room / "README.md").write_text("# A toy text\n\nWords.\n")
    return folder


def write_records(results: Path) -> None:
    """Three seeds on MNIST at scale cpu, one seed on MNIST at scale smoke, one run on stand-in faces."""
    for seed in (1, 2, 3):
        metrics = {"aupr0": 40 + 0.1 * seed, "aupr1": 8 + 0.1 * seed, "difference": 3 + seed, "crisp": 0.4 + 0.1 * seed}
        _record(results, "mnist", "cpu", seed, metrics)
    _record(results, "mnist", "smoke", 1, {"aupr0": 99.0, "aupr1": 99.0, "difference": -9.0, "crisp": 0.0})
    _record(results, "faces", "cpu", 1, {"nll": 90.0}, stand_in="10,000 faces at half size")


def _record(results, dataset, scale, seed, metrics, stand_in=""):
    name = f"{scale}-vae-as_described-{dataset}-s{seed}"
    path = f"scores/toy/ood/{name}.npz"
    digest = save_scores(results / path, scores=np.arange(10.0) * seed)
    Record(
        text="toy", experiment="ood", name=name,
        settings={"model": "vae", "variant": "as_described", "scale": scale, "dataset": dataset, "seed": seed},
        metrics=metrics, evaluator="step AP", code={"fingerprint": "0" * 16, "modules": {}},
        data={"name": dataset, "binarisation": "dynamic", "split": "test", "stand_in": stand_in},
        files={"scores": path}, sha256={"scores": digest}, seconds=60.0 * seed, steps=100,
        command=f"python reproductions/toy/ood.py --scale={scale} --dataset={dataset} --seed={seed}",
        machine={"cpu": "Some CPU", "cores": 2, "memory_gb": 8, "accelerator": ""},
    ).save(results)  # fmt: skip
