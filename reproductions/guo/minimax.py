"""Section 3.1: the value of the game, the best discriminator, who goes up and who down, and the printed slips.

    V(D, G) = E_x log D(x) + E_z log(1 - D(G(z)))                          D*(x) = p(x) / (p(x) + p_g(x))

Data x ~ N(0, 1) on the line, generator G(z) = z + shift, so p_g = N(shift, 1). Nats.
"""

import numpy as np
import tensorflow as tf
from scipy import integrate, optimize, stats
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from reproductions.guo import author

SHIFTS = (0.0, 0.5, 2.0)
P = stats.norm()


def best_discriminator(x, shift):
    """p / (p + p_g) in the point x."""
    return P.pdf(x) / (P.pdf(x) + P.pdf(x - shift))


def value(discriminator, shift):
    """V of a function D of x, by quadrature."""

    def integrand(x):
        d = discriminator(x)
        return P.pdf(x) * np.log(d) + P.pdf(x - shift) * np.log1p(-d)

    return integrate.quad(integrand, -12, 12 + shift, limit=200)[0]


def jensen_shannon(shift):
    """Jensen-Shannon divergence of p and p_g, by quadrature."""

    def integrand(x):
        p, q = P.pdf(x), P.pdf(x - shift)
        return 0.5 * (p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q)))

    return integrate.quad(integrand, -12, 12 + shift, limit=200)[0]


def claim_40(seed, draws=200_000):
    """D's optimum point by point, its value against -log 4 + 2 JSD, and the same D learned from draws alone."""
    points, errors = np.linspace(-3, 4, 29), []
    for shift in SHIFTS:
        for x in points:
            p, q = P.pdf(x), P.pdf(x - shift)
            found = optimize.minimize_scalar(
                lambda d, p=p, q=q: -p * np.log(d) - q * np.log1p(-d), bounds=(1e-9, 1 - 1e-9), method="bounded",
                options={"xatol": 1e-12},
            )  # fmt: skip
            errors.append(abs(found.x - best_discriminator(x, shift)))
    gaps = [value(lambda x, s=s: best_discriminator(x, s), s) + np.log(4) - 2 * jensen_shannon(s) for s in SHIFTS]
    draw = np.random.default_rng(seed)
    x = np.concatenate([draw.normal(size=draws), draw.normal(size=draws) + SHIFTS[-1]])
    learned = make_pipeline(PolynomialFeatures(2), LogisticRegression(C=1e6)).fit(
        x[:, None], np.repeat([1, 0], [draws, draws])
    )
    known = learned.predict_proba(points[:, None])[:, 1]
    return {
        "c40_point_error": max(errors),
        "c40_value_error": np.abs(gaps).max(),
        "c40_equilibrium_value": value(lambda x: best_discriminator(x, 0.0), 0.0),
        "c40_learned_error": np.abs(known - best_discriminator(points, SHIFTS[-1])).max(),
    }


def claim_41(seed, draws=20_000, rate=0.1):
    """One step of each player along its printed direction, and the two losses of the generator against each other.

    d_gain: V after D's ascent minus before; g_gain: the same for G's descent; f_gain: for a descent of V in D's
    parameters, as the report's wording has it. ratio: |gradient of log(1 - D)| over |gradient of -log D| in the
    generator, one draw at a time, against D / (1 - D); same_way: smallest product of their signs.
    """
    draw = np.random.default_rng(seed)
    x, z = (tf.constant(draw.normal(size=draws)) for _ in range(2))
    a, b, shift = (tf.Variable(v, dtype=tf.float64) for v in (-0.5, 0.3, 2.0))

    def v():
        return tf.reduce_mean(tf.math.log_sigmoid(a * x + b) + tf.math.log_sigmoid(-(a * (z + shift) + b)))

    def gain(variables, direction):
        with tf.GradientTape() as tape:
            before = v()
        for variable, gradient in zip(variables, tape.gradient(before, variables), strict=True):
            variable.assign_add(direction * rate * gradient)
        return float(v() - before)

    found = {"c41_d_gain": gain([a, b], 1.0), "c41_g_gain": gain([shift], -1.0)}
    found["c41_f_gain"] = gain([a, b], -1.0)
    fakes = tf.Variable(z[:200] + 5.0)  # far from the data, as early samples are
    with tf.GradientTape(persistent=True) as tape:
        logits = a * fakes + b
        saturating, other = tf.math.log_sigmoid(-logits), -tf.math.log_sigmoid(logits)
    first, second = (tape.gradient(loss, fakes).numpy() for loss in (saturating, other))
    d = tf.sigmoid(logits).numpy()
    first_of_author = author.lines("gan")["D_Gz"][0]
    return found | {
        "c41_ratio_error": np.abs(first / second - d / (1 - d)).max(),
        "c41_same_way": np.sign(first * second).min(),
        "c41_ratio_at_author": first_of_author / (1 - first_of_author),
    }


def printed_limit(seed, draws=20_000):
    """Slip b of section 3.1: the limit of many images is printed as E_x log D(x) + E_x log(1 - D(x)), both over data.

    best_d: its best D, which is 1/2 whatever the generator does. gradients: size of the generator's gradient of the
    printed limit and of V, at the same D.
    """
    best = optimize.minimize_scalar(lambda d: -np.log(d) - np.log1p(-d), bounds=(1e-9, 1 - 1e-9), method="bounded")
    draw = np.random.default_rng(seed)
    x, z = (tf.constant(draw.normal(size=draws)) for _ in range(2))
    shift = tf.Variable(2.0, dtype=tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        fake = z + shift
        real_logits, fake_logits = 2.0 - 2.0 * x, 2.0 - 2.0 * fake  # log p / p_g of N(0, 1) and N(2, 1)
        first = tf.reduce_mean(tf.math.log_sigmoid(real_logits))
        printed = first + tf.reduce_mean(tf.math.log_sigmoid(-real_logits))
        right = first + tf.reduce_mean(tf.math.log_sigmoid(-fake_logits))
    gradients = [tape.gradient(limit, shift) for limit in (printed, right)]
    return {
        "e01_best_d": best.x,
        "e01_printed_gradient": 0.0 if gradients[0] is None else abs(float(gradients[0])),
        "e01_right_gradient": abs(float(gradients[1])),
    }
