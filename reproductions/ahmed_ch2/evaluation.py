"""What is measured of a trained model of chapter 2 (section 2.4.1): the columns of Table 2.1.

All in nats an image, float64. The estimators are in `common/evaluation/nats.py`.
"""

import numpy as np

from common.evaluation.nats import bound, exact, has_latent, importance, standard_error


def spread_out(count, total) -> np.ndarray:
    """`count` different numbers of `total` images, at equal distances."""
    return np.arange(min(count, total)) * total // min(count, total)


def likelihoods(game, bits, options, seed=1):
    """(metrics, arrays) of a model on the test images: the columns of Table 2.1 and what is said of them.

    nll_nats is exact without a latent. With one: nll_bound_nats, and nll_estimate_nats = nll_bound_nats minus the mean
    gap, bound minus estimate, on `estimate_images` images. The gap varies far less between images than either, so
    this estimates the whole test set's number better than the mean over those images does; gap_se_nats is its error.
    """
    if not has_latent(game):
        nll = exact(game, bits)
        return {"nll_nats": nll.mean(), "nll_se_nats": standard_error(nll)}, {"nll": nll}
    terms = bound(game, bits, options["bound_draws"], seed)
    metrics = {f"nll_{name}_nats" if name == "bound" else f"{name}_nats": v.mean() for name, v in terms.items()}
    metrics["nll_bound_se_nats"] = standard_error(terms["bound"])
    arrays = {"bound": terms["bound"], "kl": terms["kl"]}
    if options["estimate_images"]:
        more = estimated(game, bits, terms["bound"], options, seed)
        metrics, arrays = metrics | more[0], arrays | more[1]
    return metrics, arrays


def estimated(game, bits, bounds, options, seed):
    """(metrics, arrays) of the importance-sampled estimate on `estimate_images` images."""
    numbers = spread_out(options["estimate_images"], len(bits))
    found = importance(game, bits, numbers, options["estimate_draws"], options["chunk"], seed)
    gap = bounds[numbers] + found.final.estimate
    metrics = {
        "nll_estimate_nats": bounds.mean() - gap.mean(),
        "gap_nats": gap.mean(),
        "gap_se_nats": standard_error(gap),
        "estimate_images": len(numbers),
        "estimate_draws": options["estimate_draws"],
        "estimate_chunk": found.chunk,
        "ess_median": np.median(found.final.ess),
        "ess_smallest": found.final.ess.min(),
        "estimate_error_largest": found.final.standard_error.max(),
    }
    for n, values in found.fewer.items():  # gain of the whole estimate over that from n draws
        metrics[f"gain_over_{n}_nats"] = (found.final.estimate - values).mean()
        metrics[f"gain_over_{n}_se_nats"] = standard_error(found.final.estimate - values)
    return metrics, {"estimate": found.final.estimate, "ess": found.final.ess, "estimated": numbers}
