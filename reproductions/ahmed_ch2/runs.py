"""What the scripts of this chapter share: the settings of a training, the training itself, and labelled bits."""

import numpy as np

from common import data, experiment
from common.data.binary import BinaryImages, binary_images, drawn
from common.data.images import Images
from common.data.needs import needs
from common.errors import UserError
from common.evaluation import nats
from common.models import pixels
from common.nets.precision import in_float32, precision
from common.training.checkpoints import LastStates, load_whole
from common.training.fit import fit
from reproductions.ahmed_ch2 import samples, sizes

FLAGS = experiment.FLAGS

# The released code's settings (the text has none for MNIST): Adam 1e-3, batch 100, 200,000 iterations, the best of
# states by the bound on validation images. `every`: iterations between two states; `states`: of how many last states
# the best is taken, 1 = the last one. decay, average: for short trainings (pixels.adam).
TRAINING = {
    "iterations": 200_000, "batch": 100, "learning_rate": sizes.RATE, "decay": False, "average": 0.0,
    "binarisation": "fixed", "precision": "float32", "every": 5_000, "states": 40, "validation_images": 2_000,
}  # fmt: skip
LATENT = {"warm_up": sizes.WARM_UP, "encoder_convs": 8}
MEASURED = {"bound_draws": 10, "estimate_draws": 5_000, "estimate_images": 500, "chunk": 20, "samples": 1_000}
EVALUATION = ("validation_images", *MEASURED)  # options that a training does not depend on
# Short trainings: the rate falls to zero along half a cosine, the last state is taken, layers compute in bfloat16.
SHORT = {"decay": True, "every": 500, "states": 1, "precision": "bfloat16"}
MEASURED_SHORT = {"estimate_draws": 1_000, "estimate_images": 250, "samples": 500}
SMOKE = {
    "iterations": 40, "batch": 20, "decay": True, "every": 20, "states": 2, "validation_images": 20, "bound_draws": 2,
    "estimate_draws": 20, "estimate_images": 10, "samples": 20, "binarisation": "own_draw",
}  # fmt: skip
SMOKE_LATENT = {"warm_up": 10}
NET = ("layers", "width", "filter_size", "latent", "unmasked", "encoder_convs", "warm_up")  # arguments of the models


def bits_of(images: Images, settings) -> BinaryImages:
    """The binary images that the run's `binarisation` asks for; one draw for all runs, whatever their seed."""
    return binary_images(images, settings["binarisation"], 1, FLAGS.data_dir)


def possible(settings, labels=False):
    """The settings of a run, before it trains; raises UserError for images, filters or averages that cannot be used.

    labels: whether it needs those of its images.
    """
    needs(settings.dataset, FLAGS.data_dir, train=32, test=4, labels=labels)
    if settings.options.get("average", 0) >= 1:
        raise UserError(f"average={settings['average']:g}: a number below 1 expected, the share kept at each step")
    return pixels.with_centre(settings)


def variants(models_of_script) -> dict:
    """Variants that every script has: other draws of the bits, which are other numbers of nats."""
    return {kind: dict.fromkeys(models_of_script, {"binarisation": kind}) for kind in ("own_draw", "dynamic")}


def tuned(iterations, options) -> dict:
    """The variant of all models of `options` with so many iterations, by the recipe that was tuned for short trainings.

    That of `warmed`, and a learning rate of three times the code's, which is made for 200,000 iterations. It is not for
    masked decoders with features of z beside the image: there the features grow without bound within the first thousand
    steps, every gate saturates, and the net gives all images the same probabilities and no longer learns.
    """
    return {
        model: changes | {"learning_rate": sizes.TUNED_RATE} for model, changes in warmed(iterations, options).items()
    }


def warmed(iterations, options) -> dict:
    """The variant of all models of `options` with so many iterations and a longer KL warm-up.

    Paper scale's 10,000, but at most five sixteenths of the iterations: with a twentieth, as paper scale has of its own
    length, the latents of a masked decoder are unused before their KL has its full weight.
    """
    warm_up = min(sizes.WARM_UP, 5 * iterations // 16)
    return {
        model: {"iterations": iterations} | ({"warm_up": warm_up} if "warm_up" in own else {})
        for model, own in options.items()
    }


def trained(settings, net, bits: BinaryImages, work, **arguments):
    """(game in float32, {name: [value an epoch]}, notes) after the training that `settings` ask for.

    net(images, binarisation=, optimizer=, **arguments): one of the models; arguments: beside those of NET.
    """
    arguments = {name: settings[name] for name in NET if name in settings.options} | arguments
    steps, every = settings["iterations"], min(settings["every"], settings["iterations"])

    def build():
        optimizer = pixels.adam(settings["learning_rate"], steps if settings["decay"] else 0, settings["average"])
        return net(bits.train, binarisation=bits.kind, optimizer=optimizer, **arguments)

    with precision(settings["precision"]):
        game = settings.build(build)
    last = LastStates(work, settings["states"])
    log = fit(
        game, steps=steps, batch=settings["batch"], seed=settings.seed, work=work, epoch_steps=every,
        program_steps=min(every, 20), jit=settings.jit, callbacks=[last],
    )  # fmt: skip
    pixels.use_average(game)
    notes = {"training_seconds": f"{sum(log['seconds']):.0f}"}
    if settings["precision"] != "float32":  # likelihoods are evaluated in full precision
        as_trained, game = game, in_float32(game, build)
        cost = nats.cost_of_precision(as_trained, game, samples.spread(bits.test, 500), settings.seed)
        notes["float32"] = f"{cost:+.3f} nats against {settings['precision']}, same weights, 500 test images"
    if settings["states"] > 1:
        validation = samples.spread(bits.validation, settings["validation_images"])
        notes["state"] = choose(game, last.paths(), validation, settings.seed)
    return game, log, notes


def choose(game, paths, validation, seed) -> str:
    """Loads the state with the lowest bound (or exact number) on the validation images; says which.

    The same draws for all states; states of the warm-up, where alpha < 1, do not count.
    """
    found = {}
    for path in paths:
        load_whole(game, path)
        pixels.use_average(game)
        if int(game.steps_done.value) >= getattr(game, "warm_up", 0):
            found[path] = nats.quick(game, validation, seed).mean()
    best = min(found or {paths[-1]: np.nan}, key=found.get)
    load_whole(game, best)
    pixels.use_average(game)
    return f"after {int(game.steps_done.value)} iterations, the best of {len(found)} on {len(validation)} images"


def labelled(images: Images) -> Images:
    """Labelled binary digits for judges and neighbours: one own draw, of MNIST where the set itself has no labels."""
    grey = images if images.test_labels is not None else data.load("mnist", FLAGS.data_dir)
    return Images(
        f"{grey.name}_own_draw", drawn(grey.train, 1), drawn(grey.test, 1), grey.train_labels, grey.test_labels,
        source=f"one own draw of: {grey.source}", stand_in=grey.stand_in,
    )  # fmt: skip


def parameters(game) -> int:
    """Weights, biases and gains of a game's networks, as texts count: those that feed nothing too."""
    networks = [network for player in game.players.values() for network in player.networks]
    return sum(int(np.prod(v.shape)) for network in networks for v in network.variables)
