"""The printed settings, H-...: quoted, with what the runs of the author's code here were given, as their records say.

Settings that are no option of a run are quoted with where they are to be found here.
"""

from common.reporting.claims import Measurement, measure
from reproductions.guo import chosen
from reproductions.guo.chosen import CVAE, DCGAN, FACES, GAN, RADFORD, VAE
from reproductions.guo.claims_exact import formula


def of_first(net, value, note=""):
    """Measure of value(record) on the first record of a net; smoke changes settings on purpose, so it is left out."""

    def found(records) -> Measurement | None:
        runs = [r for r in chosen.of_net(records, net) if r.scale != "smoke"][:1]
        if not runs:
            return None
        reason = f"a setting, not a result; our {runs[0].settings['variant']} has {value(runs[0]):,.6g}{note}"
        return measure(runs, value, stand_in="", exact=True, reason=reason)

    return found


def option(net, name):
    """Measure of one option of a net."""
    return of_first(net, lambda r: r.settings["options"][name])


def length(net):
    """Measure of the epochs of a net's trainings, the longest of each seed first; smoke is left out."""

    def found(records):
        runs = [r for r in chosen.trainings(records, net)[::-1] if r.scale != "smoke"]
        if not runs:
            return None
        by_length = {}
        for r in runs:
            by_length.setdefault((chosen.epochs(r), r.settings["variant"]), []).append(r.seed)
        shown = " and ".join(f"{epochs} ({name}, seed {', '.join(map(str, sorted(seeds)))})"
                             for (epochs, name), seeds in by_length.items())  # fmt: skip
        reason = f"a setting, not a result; ours have {shown}"
        return measure(runs[:1], chosen.epochs, stand_in="", exact=True, reason=reason)

    return found


NETS = {"gan": GAN, "dcgan_mnist": DCGAN, "dcgan_anime": FACES, "vae": VAE, "cvaegan": CVAE}
OPTIONS = {
    "gan": {"latent_size": "latent", "batch_size": "batch", "lr": "learning_rate"},
    "dcgan_mnist": {"z_dimension": "latent", "batch_size": "batch", "lr": "learning_rate"},
    "dcgan_anime": {"nz": "latent", "batch_size": "batch", "lr": "learning_rate", "beta1": "beta_1"},
    "vae": {"latent_dim": "latent", "inter_dim": "hidden", "batch_size": "batch", "lr": "learning_rate"},
    "cvaegan": {"nz": "latent", "batch_size": "batch", "lr": "learning_rate"},
}
LENGTHS = {"gan": "num_epochs", "dcgan_mnist": "num_epoch", "dcgan_anime": "num_epochs", "vae": "epochs",
           "cvaegan": "nepoch"}  # fmt: skip
MEASURES = {
    f"H-{run}-{printed}": option(NETS[run], name) for run, names in OPTIONS.items() for printed, name in names.items()
}
MEASURES |= {f"H-{run}-{printed}": length(NETS[run]) for run, printed in LENGTHS.items()}
MEASURES |= {
    "H-cvaegan-iterations_per_epoch": of_first(
        CVAE, lambda r: r.steps / chosen.epochs(r), "; the author's last batch holds the 96 left over, ours are full"
    ),
    "H-dcgan-described-out": formula("c38_last_side_faces"),
    "H-dcgan-described-z": option(RADFORD, "latent"),
    "H-gan-k": option(GAN, "d_steps"),
}

BY_WEIGHTS = "a setting, not a result; in the number of weights of {}".format
ADAM = "a setting, not a result; every net here has Adam, with PyTorch's epsilon"
IN_DATA = "a setting, not a result; the data have it"
NO_SEED = "a setting, not a result; ours are 1, 2, 3: another framework draws other numbers from the same seed"
FACE_SET = "a setting, not a result; of the author's crawl, which is not published"
NOT_RUN = {
    "H-gan-hidden_size": BY_WEIGHTS("P01a and P01b"),
    **dict.fromkeys(("H-dcgan_anime-ngf", "H-dcgan_anime-ndf"), BY_WEIGHTS("P03a and P03b")),
    **dict.fromkeys((f"H-{run}-optimiser" for run in NETS), ADAM),
    **dict.fromkeys(
        ("H-gan-image_size", "H-dcgan_anime-image_size", "H-dcgan_anime-nc", "H-vae-input_dim", "H-cvaegan-image_size",
         "H-mnist-size"), IN_DATA,
    ),
    **dict.fromkeys(("H-dcgan_anime-random_seed", "H-cvaegan-random_seed"), NO_SEED),
    **dict.fromkeys(("H-dcgan_anime-iterations_per_epoch", "H-anime-rawsize"), FACE_SET),
    "H-dcgan_anime-workers": "a setting, not a result; of the notebook's loader of images",
    "H-dcgan-described-layers": "a setting, not a result; sides and channels layer by layer: C38a, C38b",
    "H-optimiser-alg1": "a setting, not a result; the caption is Goodfellow's, the code uses Adam",
}  # fmt: skip
