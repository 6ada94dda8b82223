"""The grid: which runs make the tables, at each scale, in the order of priority.

    python -m reproductions.grid cpu ahmed_ch4/ood        lists the command of every run

One seed everywhere comes before three anywhere. The Snakefile makes one job of each run. To add an experiment, add its
runs to each scale; a run's name and command are those of its script.
"""

import itertools
import sys
from dataclasses import dataclass, field

from common.errors import UserError
from common.reporting.names import record_name

DATASETS = {"smoke": "digits", "cpu": "mnist", "paper": "mnist"}
BOTH, SEEDS = ["as_described", "as_code"], [1, 2, 3]


@dataclass(frozen=True)
class Run:
    """One run: one line of the command line, one record."""

    scale: str
    text: str
    experiment: str
    model: str
    variant: str = "as_described"
    seed: int = 1
    key: dict = field(default_factory=dict)
    dataset: str = ""

    @property
    def script(self):
        """Path of the script below the repository."""
        return f"reproductions/{self.text}/{self.experiment}.py"

    @property
    def record(self):
        """Path of the record below the results folder."""
        name = record_name(self.scale, self.model, self.key, self.variant, self.dataset, self.seed)
        return f"records/{self.text}/{self.experiment}/{name}.json"

    @property
    def command(self):
        """The command line that makes the record."""
        fixed = {"scale": self.scale, "dataset": self.dataset, "model": self.model, "variant": self.variant}
        flags = [f"--{name}={value}" for name, value in (fixed | self.key | {"seed": self.seed}).items()]
        return " ".join(["python", self.script, *flags])


def each(scale, experiment, models, variants=("as_described",), seeds=(1,), dataset="", **key):
    """Every combination of models, variants, key values and seeds of experiment "text/name", as a list of runs."""
    text, name = experiment.split("/")
    dataset = dataset or DATASETS[scale]
    return [
        Run(scale, text, name, model, variant, seed, dict(zip(key, values, strict=True)), dataset)
        for model, variant, *values, seed in itertools.product(models, variants, *key.values(), seeds)
    ]


def exact(scale, seeds):
    """Formulas and statistics: the same work at every scale, and no training, or one of seconds."""
    cifar = "digits" if scale == "smoke" else "cifar10"
    return [
        *each(scale, "ahmed_ch4/formulas", ["formulas"], seeds=seeds),
        *each(scale, "ahmed_ch4/cifar_images", ["images"], dataset=cifar),
        *each(scale, "doersch/formulas", ["formulas"], seeds=seeds, dataset="digits"),
        *each(scale, "doersch/appendix", ["construction"], dataset="digits"),
        *each(scale, "doersch/distances", ["pixels"]),
        *each(scale, "guo/formulas", ["formulas"], seeds=seeds, dataset="digits"),
        *each(scale, "guo/published", PUBLISHED, dataset="digits"),
    ]


def smoke():
    """Every experiment, in seconds a run, on embedded data."""
    return [
        *each("smoke", "ahmed_ch4/ood", ["trivial", "vae"], held_out=[0, 1]),
        *each("smoke", "ahmed_ch4/ood", ["dcgan", "pixelcnn", "pixelvae"], held_out=[0]),
        *each("smoke", "ahmed_ch4/subsets", ["vae"], held_out=[0]),
        *each("smoke", "ahmed_ch4/population", ["normed_dcgan"], held_out=[0]),
        *each("smoke", "ahmed_ch4/classifier", ["classifier"], held_out=[0]),
        *exact("smoke", [1]),
        *each("smoke", "doersch/digits", ["vae", "cvae"], BOTH),
        *each("smoke", "doersch/digits", ["regressor", "half_cvae", "half_regressor"]),
        *each("smoke", "doersch/latents", ["he"], latent=[2]),
        *each("smoke", "doersch/choices", ["lr_0.001"]),
        *each("smoke", "ahmed_ch2/formulas", ["formulas"]),
        *each("smoke", "ahmed_ch2/likelihoods", ["gated_pixelvae", "conv_vae"]),
        *each("smoke", "ahmed_ch2/layers", ["pixelvae", "pixelcnn"], layers=[1]),
        *each("smoke", "ahmed_ch2/latents", ["pixelvae"], latent=[2]),
        *each("smoke", "ahmed_ch2/labels", ["conditional"]),
        *each("smoke", "guo/gan", ["gan", "dcgan"], ["as_code"]),
        *each("smoke", "guo/vae", ["vae"], ["as_code"]),
        *each("smoke", "guo/cvae_gan", ["cvae_gan"], BOTH),
        *each("smoke", "guo/faces", ["dcgan"], dataset="faces64"),
    ]


def cpu():
    """Real data on two cores."""
    digits = range(10)
    runs = [
        *each("cpu", "ahmed_ch4/ood", ["vae"], seeds=SEEDS, held_out=digits),
        *each("cpu", "ahmed_ch4/ood", ["vae"], ["epochs_40"], held_out=[5]),
        *each("cpu", "ahmed_ch4/ood", ["dcgan"], seeds=SEEDS, held_out=[0, 1, 2]),
        *each("cpu", "ahmed_ch4/ood", ["dcgan"], held_out=range(3, 10)),
        *each("cpu", "ahmed_ch4/ood", ["pixelvae", "pixelcnn"], held_out=digits),
        *each("cpu", "ahmed_ch4/ood", ["pixelcnn", "pixelvae"], ["tuned"], held_out=digits),
        *each("cpu", "ahmed_ch4/ood", ["trivial"], seeds=SEEDS, held_out=digits),
        *each("cpu", "ahmed_ch4/subsets", ["vae"], ["as_described", "share_30"], held_out=[0, 2, 5]),
        *each("cpu", "ahmed_ch4/population", ["normed_dcgan"], held_out=[2]),
        *each("cpu", "ahmed_ch4/classifier", ["classifier"], held_out=digits),
        *exact("cpu", SEEDS),
        *each("cpu", "doersch/digits", ["vae", "cvae", "regressor"], seeds=SEEDS),
        *each("cpu", "doersch/digits", ["vae", "cvae", "regressor"], ["as_code"]),
        *each("cpu", "doersch/digits", ["half_cvae", "half_regressor"]),
        *each("cpu", "doersch/digits", ["vae"], ["resampled"]),
        *each("cpu", "doersch/latents", ["he"], latent=LATENTS),
        *each("cpu", "doersch/latents", ["sparse15"], latent=[1, 2, 3, 4, 30]),
        *each("cpu", "doersch/choices", RATES, seeds=SEEDS),  # an order between trainings, of one epoch each
        *each("cpu", "doersch/choices", OTHER_CHOICES),
        *ahmed_ch2("cpu"),
        *guo("cpu"),
    ]
    return one_seed_first(runs)


def paper():
    """The texts' own settings, three seeds everywhere."""
    digits = range(10)
    runs = [
        *each("paper", "ahmed_ch4/ood", OOD, seeds=SEEDS, held_out=digits),
        *each("paper", "ahmed_ch4/subsets", ["vae"], ["as_described", "share_30"], SEEDS, held_out=digits),
        *each("paper", "ahmed_ch4/population", ["normed_dcgan"], seeds=SEEDS, held_out=[2]),
        *each("paper", "ahmed_ch4/classifier", ["classifier"], seeds=SEEDS, held_out=digits),
        *exact("paper", SEEDS),
        *each("paper", "doersch/digits", ["vae", "cvae", "regressor", "half_cvae", "half_regressor"], BOTH, SEEDS),
        *each("paper", "doersch/latents", ["he", "sparse15"], seeds=SEEDS, latent=LATENTS),
        *each("paper", "doersch/choices", [*RATES, *OTHER_CHOICES], ["as_described", "code_optimizer"], SEEDS),
        *ahmed_ch2("paper"),
        *guo("paper"),
    ]
    return one_seed_first(runs)


def ahmed_ch2(scale):
    """The headline row of Table 2.1 first, then its other rows, the figures, and what needs labels.

    At cpu scale the rows are then trained with a longer KL warm-up, and those that it does not kill at a higher
    learning rate, too; the nets of the figures are trained so, as long as the rows, for what shorter trainings leave
    open; two rows for other lengths, to see how far a longer training would bring them; and short nets for more seeds,
    to know how much one training differs from the next.
    """
    fixed = "binarized_mnist"
    rows = ["gated_pixelvae", "conv_vae", "gated_pixelcnn", "gated_pixelvae_up", "pixelvae"]
    seeds, depths, whole = SEEDS if scale == "paper" else (1,), [0, 1, 2, 4, 6, 8, 12], [2, 4, 8, 16, 64]
    with_latent = ["gated_pixelvae", "pixelvae", "gated_pixelvae_up", "conv_vae"]
    warmed, tuned, again = ([], [], []) if scale == "paper" else (["warm_up_5000"], ["tuned_16000"], [2, 3])
    lengths = [] if scale == "paper" else ["tuned_4000", "tuned_8000", "tuned_40000"]
    return [
        *each(scale, "ahmed_ch2/formulas", ["formulas"], seeds=SEEDS),
        *each(scale, "ahmed_ch2/likelihoods", rows, seeds=seeds, dataset=fixed),
        *each(scale, "ahmed_ch2/layers", ["pixelvae", "pixelcnn"], seeds=seeds, dataset=fixed, layers=depths),
        *each(scale, "ahmed_ch2/latents", ["pixelvae", "vae"], seeds=SEEDS, latent=[2]),
        *each(scale, "ahmed_ch2/latents", ["vae"], seeds=seeds, latent=whole[1:]),
        *each(scale, "ahmed_ch2/latents", ["pixelvae"], seeds=seeds, latent=whole[1:] if scale == "paper" else [8, 64]),
        *each(scale, "ahmed_ch2/labels", ["conditional"], seeds=seeds),
        *each(scale, "ahmed_ch2/likelihoods", rows[:3], tuned, dataset=fixed),
        *each(scale, "ahmed_ch2/likelihoods", with_latent, warmed, dataset=fixed),
        *each(scale, "ahmed_ch2/layers", ["pixelvae", "pixelcnn"], seeds=again, dataset=fixed, layers=[4]),
        *each(scale, "ahmed_ch2/layers", ["pixelvae", "pixelcnn"], warmed, dataset=fixed, layers=depths),
        *each(scale, "ahmed_ch2/layers", ["pixelvae"], tuned, dataset=fixed, layers=[0]),
        *each(scale, "ahmed_ch2/latents", ["pixelvae", "vae"], warmed, SEEDS, latent=[2]),
        *each(scale, "ahmed_ch2/labels", ["conditional"], tuned),
        *each(scale, "ahmed_ch2/likelihoods", ["conv_vae", "gated_pixelvae"], lengths, dataset=fixed),
    ]


def guo(scale):
    """What the author ran and what was meant; then what explains a difference. Three seeds at paper scale.

    At cpu scale three of the author's own runs (collapse is counted over seeds) and one of the rest.
    """
    main, seeds, rest = ["as_code", "as_described"], SEEDS, SEEDS if scale == "paper" else (1,)
    compared = ["no_discriminator", "no_classifier", "pixels_only", "gc_0.1", "kl_scaled", "kl_batch_mean"]
    longer = [f"{variant}_50" for variant in [*main, *compared]]
    gan = ["latent_2", "dcgan_settings", "radford_settings", "lr_0.0001", "lr_0.0004", "batch_50", "batch_200"]
    dcgan = ["one_step", "strided", "batch_norm", "saturating", "three_steps", "printed_rates"]
    vae = ["as_text", "latent_10", "latent_32", "beta_4", "beta_0.25", "squared_error", "lr_0.0003", "lr_0.003"]
    parts = ["no_features", "no_gd", "no_gc", "gc_0.1", "no_discriminator", "no_classifier", "pixels_only"]
    return [
        *each(scale, "guo/vae", ["vae"], ["as_code"], seeds),
        *each(scale, "guo/gan", ["gan"], main, seeds),
        *each(scale, "guo/gan", ["dcgan"], main, seeds),
        *each(scale, "guo/cvae_gan", ["cvae_gan"], main, rest),
        *each(scale, "guo/cvae_gan", ["cvae_gan"], [] if scale == "paper" else longer, rest),
        *each(scale, "guo/faces", ["dcgan"], seeds=rest, dataset="anime_faces"),
        *each(scale, "guo/faces", ["dcgan"], ["as_described_62"], rest, dataset="anime_faces"),
        *each(scale, "guo/gan", ["dcgan"], [] if scale == "paper" else ["as_code_40"], seeds),
        # seed 2: with it the code's DCGAN collapses within 40 epochs
        *each(scale, "guo/gan", ["dcgan"], [] if scale == "paper" else [f"{name}_40" for name in dcgan[:3]], (2,)),
        *each(scale, "guo/vae", ["vae"], vae, rest),
        *each(scale, "guo/gan", ["gan"], gan, rest),
        *each(scale, "guo/gan", ["dcgan"], dcgan, rest),
        *each(scale, "guo/cvae_gan", ["cvae_gan"], ["kl_scaled", "kl_batch_mean", *parts], rest),
        *each(scale, "guo/faces", ["dcgan"], ["mnist_net", "no_batch_norm", "flips"], rest, dataset="anime_faces"),
        *each(scale, "guo/published", ["kept_pictures"]),  # of the CVAE-GANs whose records are there by then
    ]


OOD = ("vae", "pixelcnn", "pixelvae", "dcgan", "trivial")
PUBLISHED = ("gan", "dcgan", "faces", "vae", "cvae_gan")  # models whose logs the author of `guo` published
LATENTS = (1, 2, 3, 4, 5, 8, 10, 20, 30, 50, 100, 300, 1_000, 3_000, 10_000)
RATES = tuple(f"lr_{rate}" for rate in ("0.01", "0.003", "0.001", "0.0003", "0.0001"))
OTHER_CHOICES = (
    *(f"{init}_{size}" for init in ("he", "sparse15") for size in ("three_layers", "two_layers", "one_layer")),
    *(f"{unit}_adam_{rate}" for unit in ("relu", "sigmoid") for rate in ("0.003", "0.001", "0.0003")),
    *(f"{unit}_sgd_{rate}" for unit in ("relu", "sigmoid") for rate in ("0.001", "0.0001", "1e-05")),
    *(f"sigma_{sigma}" for sigma in ("0.05", "0.1", "0.2", "0.5", "1")),
)


def one_seed_first(runs):
    """The same runs, seed by seed."""
    return sorted(runs, key=lambda run: run.seed)


SCALES = {"smoke": smoke, "cpu": cpu, "paper": paper}


def chosen(scale, only=""):
    """The runs of a scale, all or those of TEXT or TEXT/EXPERIMENT. Raises UserError if there are none."""
    if scale not in SCALES:
        raise UserError(f"unknown scale '{scale}'; choose one of {', '.join(SCALES)}")
    runs = SCALES[scale]()
    found = [run for run in runs if only in ("", run.text, f"{run.text}/{run.experiment}")]
    if not found:
        known = sorted({run.text for run in runs} | {f"{run.text}/{run.experiment}" for run in runs})
        raise UserError(f"no run of '{only}' at scale {scale}; choose one of {', '.join(known)}")
    return found


if __name__ == "__main__":
    try:
        print("\n".join(run.command for run in chosen(*sys.argv[1:3])))
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
