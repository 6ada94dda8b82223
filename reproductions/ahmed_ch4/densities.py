"""Chapter 1, sections 1.2 to 1.4 and 1.6.3, and section 4.2.3: densities and areas small enough to be exact. Nats."""

import itertools

import numpy as np
from scipy import special, stats

from common.evaluation import detection

SIDE = 3  # of the binary images that are enumerated: 2^9 = 512 of them


class Autoregressive:
    """p(x) = prod_i Bernoulli(x_i; sigma(a_i(x_1..x_{i-1}))), a = V tanh(U x + c) + b with masks: a small masked net.

    Each of `hidden` units belongs to a pixel j: it sees pixels up to j and is seen by pixels after j.
    """

    def __init__(self, rng, pixels=SIDE**2, hidden=36, scale=2.0):
        owner = np.arange(hidden) % (pixels - 1)
        pixel = np.arange(pixels)
        self.u = scale * rng.normal(size=(pixels, hidden)) * (pixel[:, None] <= owner)
        self.v = scale * rng.normal(size=(hidden, pixels)) * (owner[:, None] < pixel)
        self.b, self.c = rng.normal(size=pixels), rng.normal(size=hidden)

    def log_conditionals(self, x):
        """log p(x_i | x_1..x_{i-1}) of x [..., pixels], the same shape."""
        logits = np.tanh(x @ self.u + self.c) @ self.v + self.b
        return special.log_expit(np.where(x == 1, logits, -logits))


def all_images(pixels=SIDE**2):
    """Every binary image, [2^pixels, pixels]; the last pixel changes fastest."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=pixels)))


def chain_rule(seed, seen=5):
    """Nos. 56 and 43, sections 1.6.3 and 1.2: the chain rule sums to one; filling in missing pixels.

    sum_error: |sum over all 3x3 images of p(x) - 1|. order_error: the same table of p(x) factored in a shuffled order,
    product of its conditionals against p(x), relative, largest over the images.
    last_error: hidden pixels last: product of the net's conditionals against p(hidden | seen) by enumeration, largest
    difference. first_distance: hidden pixels first: total variation between p(hidden | seen) and what one raster pass
    draws, which cannot look ahead.
    """
    rng = np.random.default_rng(seed)
    net, x = Autoregressive(rng), all_images()
    log_p = net.log_conditionals(x)
    p = np.exp(log_p.sum(1))
    cube = p.reshape((2,) * x.shape[1]).transpose(rng.permutation(x.shape[1]))
    table = p.reshape(2**seen, -1)  # rows: the first `seen` pixels
    drawn_last = np.exp(log_p[:, seen:].sum(1)).reshape(table.shape)
    exact_last = table / table.sum(1, keepdims=True)
    hidden = x.shape[1] - seen
    table = p.reshape(2**hidden, -1)  # rows: the first `hidden` pixels; columns: what is seen after them
    exact_first = table / table.sum(0)
    one_pass = table.sum(1, keepdims=True)
    return {
        "c56_sum_error": abs(p.sum() - 1),
        "c56_order_error": np.abs(in_turn(cube).prod(0) / cube - 1).max(),
        "c43_last_error": np.abs(drawn_last - exact_last).max(),
        "c43_first_distance": (0.5 * np.abs(exact_first - one_pass).sum(0) * table.sum(0)).sum(),
    }


def in_turn(cube):
    """p(x_i | x_1..x_{i-1}) of a table p(x) [2, 2, ..., 2], by the order of its axes: [pixels, 2, 2, ..., 2].

    Pixels after the i-th are summed out; the first factor is p(x_1), so a table that does not sum to one shows.
    """
    axes = range(cube.ndim)
    marginals = [cube.sum(axis=tuple(axes[i + 1 :]), keepdims=True) for i in axes]
    before = [np.ones((1,) * cube.ndim), *marginals[:-1]]
    return np.array([np.broadcast_to(m / b, cube.shape) for m, b in zip(marginals, before, strict=True)])


def counting(seed, variables=6, draws=500, steps=2_000):
    """No. 44, section 1.3.1: directed models are fitted by counting, undirected ones need their normaliser.

    directed_gradient: largest derivative (by the logit, per draw) of the log-likelihood of p(x_1) prod p(x_i | x_{i-1})
    at the counted frequencies. undirected_gap: largest difference of pairwise moments between data and a Boltzmann
    machine after gradient ascent that enumerates all 2^n states; normaliser_terms = 2^n.
    """
    rng = np.random.default_rng(seed)
    x = (rng.random((draws, variables)) < rng.random(variables)).astype(float)
    x[:, 1:] = np.where(rng.random((draws, variables - 1)) < 0.5, x[:, :-1], x[:, 1:])
    gradients = []
    for i in range(1, variables):
        for parent in (0, 1):
            child = x[x[:, i - 1] == parent, i]
            counted = child.sum() / len(child)
            gradients.append(abs(np.sum(child - counted)) / draws)
    states = all_images(variables)
    pairs = (states[:, :, None] * states[:, None]).reshape(len(states), -1)
    wanted = (x[:, :, None] * x[:, None]).reshape(draws, -1).mean(0)
    weights = np.zeros(variables**2)
    for _ in range(steps):
        weights += 0.5 * (wanted - special.softmax(pairs @ weights) @ pairs)
    gap = np.abs(wanted - special.softmax(pairs @ weights) @ pairs).max()
    return {"c44_directed_gradient": max(gradients), "c44_undirected_gap": gap, "c44_normaliser_terms": len(states)}


def change_of_variables(seed, points=200):
    """Nos. 28 and 45, section 1.3: p(x) = p(z) |det dg/dz|^-1, and where no density exists.

    error: against TensorFlow Probability's transformed distribution, a chain of sinh-arcsinh and an affine map, the
    Jacobian taken by automatic differentiation (float64). cdf_error: p(x) = dF(x)/dx in one dimension, by central
    differences. tube_slope: a line in the plane (one latent, two data dimensions), thickened to width eps: slope of its
    log density at 0 against log eps; -1 says that the density grows without limit as the tube closes.
    """
    import tensorflow as tf
    from tensorflow_probability import bijectors, distributions

    z = np.random.default_rng(seed).normal(size=(points, 3))
    matrix = np.array([[1.0, 0, 0], [0.5, 0.8, 0], [-0.3, 0.2, 1.5]])
    bend = bijectors.SinhArcsinh(skewness=tf.constant(0.3, tf.float64), tailweight=tf.constant(1.2, tf.float64))
    g = bijectors.Chain([bijectors.ScaleMatvecTriL(tf.constant(matrix)), bend])
    with tf.GradientTape() as tape:
        inputs = tf.constant(z)
        tape.watch(inputs)
        x = g.forward(inputs)
    _, log_det = np.linalg.slogdet(tape.batch_jacobian(x, inputs).numpy())
    base = distributions.MultivariateNormalDiag(tf.zeros(3, tf.float64))
    library = distributions.TransformedDistribution(base, g).log_prob(x).numpy()
    ours = stats.norm.logpdf(z).sum(1) - log_det
    grid, h = np.linspace(0.1, 4, 60), 1e-5  # x = exp(z): F(x) = Phi(log x)
    density = (stats.norm.cdf(np.log(grid + h)) - stats.norm.cdf(np.log(grid - h))) / (2 * h)
    widths = np.array([1e-2, 1e-3, 1e-4])
    line = np.array([[1.0], [2.0]])
    log_p = [stats.multivariate_normal(cov=line @ line.T + e**2 * np.eye(2)).logpdf(np.zeros(2)) for e in widths]
    return {
        "c28_error": np.abs(ours - library).max(),
        "c45_cdf_error": np.abs(density - stats.norm.pdf(np.log(grid)) / grid).max(),
        "c45_tube_slope": np.polyfit(np.log(widths), log_p, 1)[0],
    }


def kernel_densities(seed, dimensions=(2, 5, 10, 20, 50, 100), draws=2_000, tests=200):
    """No. 27, section 1.4: Parzen windows on draws of N(0, I_d): mean log p(x) minus mean log estimate, nats.

    Gaussian windows of the width that a validation set likes best, as the evaluation of generative models did it.
    """
    found, widths = {}, np.geomspace(0.05, 2, 25)
    for d in dimensions:
        rng = np.random.default_rng([seed, d])
        centres, validation, test = (rng.normal(size=(n, d)) for n in (draws, tests, tests))
        best = max(widths, key=lambda width: parzen(validation, centres, width).mean())  # noqa: B023 (used at once)
        truth = stats.norm.logpdf(test).sum(1)
        found[f"c27_error_d{d}"] = np.mean(truth - parzen(test, centres, best))
    found["c27_smallest_growth"] = np.diff([found[f"c27_error_d{d}"] for d in dimensions]).min()
    return found


def parzen(x, centres, width):
    """log (1/n) sum_i N(x; centre_i, width^2 I) of x [N, d]: [N] nats."""
    squared = (x**2).sum(1)[:, None] + (centres**2).sum(1) - 2 * x @ centres.T
    exponents = -0.5 * squared / width**2
    return special.logsumexp(exponents, axis=1) - np.log(len(centres)) - x.shape[1] * np.log(width * np.sqrt(2 * np.pi))


def diluted_model(log_p, dimensions):
    """No. 46, section 1.4: a model mixed with 99 % uniform noise over binary images loses at most ln 100 nats.

    log_p: [N] nats of a model on test images of `dimensions` pixels. 99 of 100 samples of the mixture are noise.
    """
    mixed = np.logaddexp(log_p + np.log(0.01), np.log(0.99) - dimensions * np.log(2))
    loss = np.max(log_p - mixed)
    return {"c46_largest_loss": loss, "c46_loss_per_pixel": loss / dimensions}


def areas(seed, positives=1_000, negatives=9_000, guesses=200):
    """Nos. 20, 21 and 38, section 4.2.3: areas under PR and ROC curves under skew, and what accuracy says.

    c20: one pair of score laws (normals 1.5 sd apart) at half positives and at one tenth: AUROC stays, AP falls.
    c21_guess: mean AP of random scores, per cent. c38: accuracy of "never positive"; and two rankings, one with the
    better AUROC, the other with the better AP (differences first minus second, points).
    s4_perfect: AP of a perfect ranking, per cent.
    """
    rng = np.random.default_rng(seed)
    positive = np.arange(positives + negatives) < positives
    guess = np.mean([detection.average_precision(rng.random(positive.size), positive) for _ in range(guesses)])
    quantiles = {n: stats.norm.ppf((np.arange(n) + 0.5) / n) for n in (positives, negatives)}
    ap, roc = {}, {}
    for name, n in (("balanced", positives), ("skewed", negatives)):
        scores = np.concatenate([1.5 + quantiles[positives], quantiles[n]])
        truth = np.arange(positives + n) < positives
        ap[name], roc[name] = detection.average_precision(scores, truth), detection.auroc(scores, truth)
    order = np.linspace(1, 0, negatives)
    middling = np.concatenate([np.full(positives, 0.85), order])  # all positives a little above most negatives
    split = np.concatenate([np.repeat([2.0, 0.3], [positives // 2, positives - positives // 2]), order])
    return {
        "c20_ap_balanced": 100 * ap["balanced"], "c20_ap_skewed": 100 * ap["skewed"],
        "c20_auroc_balanced": 100 * roc["balanced"], "c20_auroc_skewed": 100 * roc["skewed"],
        "c21_guess": 100 * guess, "c21_expected": 100 * detection.random_average_precision(positives, negatives),
        "c38_accuracy_of_never": 100 * (1 - positive.mean()),
        "c38_auroc_difference": 100 * (detection.auroc(middling, positive) - detection.auroc(split, positive)),
        "c38_ap_difference": 100 * (detection.average_precision(middling, positive)
                                    - detection.average_precision(split, positive)),
        "s4_perfect": 100 * detection.average_precision(positive.astype(float), positive),
    }  # fmt: skip


def metrics(seed):
    """{"c20_...": ...}: every check of this module that needs no image."""
    found = chain_rule(seed) | counting(seed) | change_of_variables(seed) | kernel_densities(seed) | areas(seed)
    return {name: float(value) for name, value in found.items()}
