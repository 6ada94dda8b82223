"""Which records stand for which network: the same choice for claims, tables and figures.

A net is named "script/model/variant".
"""

import re
from pathlib import Path

import numpy as np

from common.reporting.records import Record, load_scores, of_one_set, select
from common.reporting.rooms import SCALES
from reproductions.guo import author

GAN, DCGAN, RADFORD = "gan/gan/as_code", "gan/dcgan/as_code", "gan/dcgan/as_described"
GAN_TEXT = "gan/gan/as_described"
VAE, VAE_TEXT = "vae/vae/as_code", "vae/vae/as_text"
CVAE, BAO = "cvae_gan/cvae_gan/as_code", "cvae_gan/cvae_gan/as_described"
FACES = "faces/dcgan/as_described"
SHARE = re.compile(r"share_\d+")  # metrics of nets on digits, and what they are called
DIGITS = {f"share_{digit}" for digit in range(10)}
# Epochs, of the author's (`passed`), from which a run says something of the trained network. His earliest grids are of
# epoch 50: there his DCGAN has three digits left, and his CVAE-GAN a quarter of the real digits' variety. A DCGAN of 40
# is taken, too: his losses drift apart from about epoch 26 on. The dense GAN and the VAE are trained whole.
ENOUGH = {"dcgan": 40, "cvae_gan": 50, "faces": 20}
STARTED = 5  # epochs below which a lack of variety may be that of a network that has not learned yet


def variant(net: str, name: str) -> str:
    """The same script and model at another variant."""
    return "/".join((*net.split("/")[:2], name))


# Variants that train a net longer than its scale does.
CHANGED = [variant(BAO, name) for name in ("gc_0.1", "no_discriminator", "no_classifier", "pixels_only")]
CHANGED += [variant(CVAE, name) for name in ("kl_scaled", "kl_batch_mean")]
LONGER = {net: f"{net.rpartition('/')[2]}_50" for net in (CVAE, BAO, *CHANGED)}
LONGER |= {DCGAN: "as_code_40", FACES: "as_described_62"}
LONGER |= {variant(DCGAN, name): f"{name}_40" for name in ("one_step", "strided", "batch_norm")}


def of_net(records, net: str) -> list[Record]:
    """Records of "script/model/variant" by seed: on MNIST, else on the first data set by name.

    Without those of a user's own folder that has not ten classes: shares and accuracies by digit are of digits.
    """
    experiment, model, variant = net.split("/")
    found = select(records, experiment=experiment, model=model, variant=variant)
    found = [r for r in found if {name for name in r.metrics if SHARE.fullmatch(name)} in (set(), DIGITS)]
    return sorted(of_one_set(found), key=lambda r: r.seed)


def longer(net: str) -> str:
    """The net's longer training."""
    return variant(net, LONGER[net])


def curve(record, results_dir, name: str) -> np.ndarray:
    """One loss by epoch, as the author printed it: the mean of what was logged at the author's moments of each epoch.

    Of a number that was taken only once an epoch, that. float64 [epochs]; [0] if the record has none.
    """
    arrays = scores(record, results_dir)
    if f"step_{name}" not in arrays:
        return arrays.get(f"curve_{name}", np.empty(0)).astype(np.float64)
    return arrays[f"step_{name}"].astype(np.float64).reshape(epochs(record), -1).mean(axis=1)


def trainings(records, net: str) -> list[Record]:
    """Records of a net and of its longer training, if there is one, from the shortest on."""
    more = of_net(records, longer(net)) if net in LONGER else []
    return sorted([*of_net(records, net), *more], key=lambda r: (epochs(r), r.seed))


def longest(records, net: str) -> list[Record]:
    """Records of a net by seed: of each seed the longest training."""
    found = {r.seed: r for r in trainings(records, net)}
    return [found[seed] for seed in sorted(found)]


def furthest(records, net: str) -> list[Record]:
    """Records of a net by seed: those trained for most epochs, so that a row or a curve over seeds has one length."""
    found = trainings(records, net)
    return [r for r in found if epochs(r) == epochs(found[-1])]


def per_seed(records, nets) -> list[tuple[Record, ...]]:
    """For each seed that all nets have: their records, in the order of `nets`; of each net the longest training.

    Variants of one model are compared at the longest length that all of them have, if they share one.
    """
    found = [{r.seed: r for r in longest(records, net)} for net in nets]
    if len({net.rpartition("/")[0] for net in nets}) == 1:
        by_length = [{(epochs(r), r.seed): r for r in trainings(records, net)} for net in nets]
        for length, seed in sorted(set.intersection(*map(set, by_length))):
            for each, lengths_of in zip(found, by_length, strict=True):
                each[seed] = lengths_of[length, seed]
    return [tuple(each[seed] for each in found) for seed in sorted(set.intersection(*map(set, found)))]


def of_one_length(records, nets) -> list[list[Record]]:
    """For each net its records at the longest length that all of them have; [] each without a common one."""
    found = [trainings(records, net) for net in nets]
    common = set.intersection(*({epochs(r) for r in each} for each in found))
    return [[r for r in each if common and epochs(r) == max(common)] for each in found]


def as_at_paper_scale(record) -> bool:
    """Whether a record of cpu scale has the settings of paper scale: the dense GAN and the VAE are trained whole."""
    return record.scale == "cpu" and run_of(record) in ("gan", "vae")


def run_of(record) -> str:
    """Which of the author's runs a record repeats: gan, dcgan, faces, vae or cvae_gan."""
    return record.settings["model"] if record.experiment == "gan" else record.experiment


def whole(record) -> int:
    """How many epochs the author trained this model."""
    return author.EPOCHS[run_of(record)]


def enough(record) -> int:
    """From how many epochs on a claim about the trained network is decided."""
    return ENOUGH.get(run_of(record), 0)


def epochs(record) -> int:
    return record.settings["options"]["epochs"]


def passed(record) -> float:
    """How many of the author's epochs a run is as long as: its own; of faces, whose sets differ in size, by updates."""
    return record.steps / author.STEPS_AN_EPOCH["faces"] if run_of(record) == "faces" else epochs(record)


def counted(run: str, of_epochs: float) -> tuple[str, str]:
    """("20", "epochs"), or of faces ("4,320", "updates"): a length as it is told."""
    if run == "faces":
        return f"{of_epochs * author.STEPS_AN_EPOCH[run]:,.0f}", "updates"
    return f"{of_epochs:g}", "epochs"


def steps_an_epoch(records) -> str:
    """ "An epoch of these faces has 70 updates, the author's 216." """
    found = best(records, FACES)
    ours = f"{found[0].steps // epochs(found[0])}" if found else "another number of"
    return f"An epoch of these faces has {ours} updates, the author's {author.STEPS_AN_EPOCH['faces']}."


def length(record) -> str:
    """ "20 of 100 epochs", or "1,400 of 10,800 updates" of faces: a run's length and the author's."""
    (ours, unit), (theirs, _) = (counted(run_of(record), n) for n in (passed(record), whole(record)))
    return f"{ours} of {theirs} {unit}"


def lengths(records) -> str:
    """ "dcgan 20 of 100 epochs" for runs shorter than the author's, or nothing."""
    return ", ".join(sorted({f"{run_of(r)} {length(r)}" for r in records if passed(r) < whole(r)}))


def judges(records) -> str:
    """That the records have several judges, or nothing.

    A judge trained on another machine is another net, with features and Fréchet distances of its own: the two halves of
    the test set are some per cent nearer to each other or farther apart.
    """
    halves = {r.metrics["frechet_test_halves"] for r in records if "frechet_test_halves" in r.metrics}
    shown = " and ".join(f"{distance:.3g}" for distance in sorted(halves))
    return f"{len(halves)} judges (Fréchet distance of the test set's halves {shown})" if len(halves) > 1 else ""


def stand_in(records) -> str:
    """Why these data are not the author's: the set's own sentence, or that it is another set than MNIST."""
    others = {f"{r.data['name']}, not the author's" for r in records if not r.stand_in and r.data["name"] != "mnist"}
    return "; ".join(sorted(others | {r.stand_in for r in records if r.stand_in}))


def best(records, net: str, of=furthest) -> list[Record]:
    """Records of a net at the largest scale that has any; [] without records. of: which, one of the functions above."""
    for scale in SCALES:
        found = of([r for r in records if r.scale == scale], net)
        if found:
            return found
    return []


def scores(record: Record, results_dir: str | Path) -> dict[str, np.ndarray]:
    """The arrays kept with a record."""
    return load_scores(Path(results_dir) / record.files["scores"])
