"""Ahmed (2017), sections 1.5, 1.6.3, 2.3 and the cost column of Table 2.2: what needs no long training.

    python reproductions/ahmed_ch2/formulas.py --seed=1,2,3

Counts, supports of gradients and closed forms are exact; three small VAEs are trained in seconds; two untrained nets
are timed.
"""

from absl import flags

from common import experiment
from reproductions.ahmed_ch2 import bounds, macs, models, recurrent, runs, small_vae, speed, supports

flags.DEFINE_enum("model", "formulas", ["formulas"], "There is one: formulas.")

EXPERIMENT = experiment.Experiment(
    text="ahmed_ch2",
    name="formulas",
    script=__file__,
    models=small_vae.__file__,
    options={"formulas": {"steps": 2_000, "side": 64, "drawn": 100, "batch": 100, "width": 16, "deep": 12}},
    scales={"smoke": {"formulas": {"steps": 30, "side": 28, "drawn": 1, "batch": 2, "width": 4, "deep": 2}}},
    variants={"as_described": {}},
    datasets={"smoke": "digits", "cpu": "mnist", "paper": "mnist"},
    evaluation=("side", "drawn", "batch", "width", "deep"),
)


def run(settings, images, work):
    """One record with the numbers of every statement, named after the claim's number."""
    seed = settings.seed
    metrics = macs.metrics() | bounds.metrics(seed)
    metrics |= named("c17", supports.depths(sorted({28, settings["side"]})))
    metrics |= named("c43", supports.growth()) | named("c30", supports.blind_spots())
    metrics |= named("c42", recurrent.metrics()) | masks(images) | counts(images)
    metrics |= named("c16", speed.metrics(*(settings[name] for name in ("drawn", "batch", "width", "deep"))))
    metrics |= small_vae.metrics(images, settings["steps"], seed, work, settings.jit)
    return experiment.Outcome(
        metrics,
        evaluator="counts, gradients, closed forms; ELBO of small VAEs, 32 draws",
        steps=3 * settings["steps"],
        binarisation="one own draw of 14x14 images",
        split="test set, 2,000 images",
    )


def named(claim, found) -> dict[str, float]:
    """{"c17_depth_28": 12.0} of ("c17", {"depth_28": 12})."""
    return {f"{claim}_{name}": float(value) for name, value in found.items()}


def small_nets(bits):
    """Every masked model of the chapter, small."""
    return {
        "pixelvae": models.PixelVAE(bits, 2, 4, latent=4),
        "gated_pixelcnn": models.GatedPixelCNN(bits, 2, 4),
        "gated_pixelvae": models.GatedPixelVAE(bits, 2, 4, latent=4),
        "gated_pixelvae_up": models.GatedPixelVAE(bits, 2, 4, latent=4, upsample=True),
        "gated_pixelvae_up_unmasked": models.GatedPixelVAE(bits, 2, 4, latent=4, upsample=True, unmasked=True),
    }


def masks(images) -> dict[str, float]:
    """No. 29: a flipped pixel changes no logit at or before it, over all pixels and models; and what z changes.

    e1_*: largest change of the first pixel's logit and of any other's between two z, upsampling net: its features of z
    are masked like pixels, so the first pixel sees none.
    """
    bits = one_image(images)
    nets = small_nets(bits)
    found = {name: supports.causality(net) for name, net in nets.items()}
    first, other = supports.effect_of_z(nets["gated_pixelvae_up"])
    return {
        "c29_violations": sum(each["violations"] for each in found.values()),
        "c29_seen": min(each["seen"] for each in found.values()),
        "e1_first_pixel": first,
        "e1_other_pixels": other,
    }


def counts(images) -> dict[str, float]:
    """Parameters of the net whose count the authors note."""
    net = models.GatedPixelVAE(one_image(images), 2, 32, 3, 32, upsample=True)
    return {"parameters_upsampling": float(runs.parameters(net))}


def one_image(images):
    """One binary image, for nets whose training does not matter."""
    return (images.test[:1] > 127).astype("uint8") * 255


def main():
    for wanted in [runs.possible(each) for each in experiment.asked(EXPERIMENT, ["formulas"])]:
        experiment.execute(EXPERIMENT, run, wanted)


if __name__ == "__main__":
    experiment.main(main)
