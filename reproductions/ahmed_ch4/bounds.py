"""Chapter 1, sections 1.4 and 1.5: the bound, its estimators and their gradients, where everything is known exactly.

The model of most checks is linear and Gaussian: z ~ N(0, I_d), x = W z + s e, e ~ N(0, I_D), so that log p(x) and the
posterior have closed forms (Tipping and Bishop 1999). All in float64, nats.
"""

import itertools

import numpy as np
from scipy import special


class LinearGaussian:
    """z ~ N(0, I), x | z ~ N(W z, s^2 I): log p(x), posterior, and the ELBO of any Gaussian q in closed form."""

    def __init__(self, weights, noise_sd):
        self.w, self.s = weights, noise_sd
        self.data, self.latent = weights.shape
        precision = np.eye(self.latent) + weights.T @ weights / noise_sd**2
        self.posterior_covariance = np.linalg.inv(precision)

    def log_p(self, x):
        """log N(x; 0, W W' + s^2 I) of x [D]."""
        return log_normal(x, np.zeros(self.data), self.w @ self.w.T + self.s**2 * np.eye(self.data))

    def posterior_mean(self, x):
        return self.posterior_covariance @ self.w.T @ x / self.s**2

    def elbo(self, x, mean, covariance):
        """E_q log p(x|z) - KL(q || N(0, I)) for q = N(mean, covariance)."""
        misfit = np.sum((x - self.w @ mean) ** 2) + np.trace(self.w @ covariance @ self.w.T)
        expected = -0.5 * misfit / self.s**2 - self.data * np.log(self.s * np.sqrt(2 * np.pi))
        return expected - normal_kl(mean, covariance, np.zeros(self.latent), np.eye(self.latent))

    def log_weights(self, x, z, mean=None, sd=None):
        """log p(x, z)/q(z) of draws z [..., d]; q = N(mean, diag sd^2), or the prior if no mean is given."""
        log_p_x = log_diagonal(x, z @ self.w.T, self.s)
        return log_p_x if mean is None else log_p_x + log_diagonal(z, 0.0, 1.0) - log_diagonal(z, mean, sd)


def log_diagonal(x, mean, sd):
    """log N(x; mean, diag sd^2), summed over the last axis."""
    return np.sum(-0.5 * ((x - mean) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi)), axis=-1)


def log_normal(x, mean, covariance):
    """log N(x; mean, covariance) of one x [D]."""
    _, log_det = np.linalg.slogdet(2 * np.pi * covariance)
    return -0.5 * (log_det + (x - mean) @ np.linalg.solve(covariance, x - mean))


def normal_kl(mean, covariance, mean_0, covariance_0):
    """KL( N(mean, covariance) || N(mean_0, covariance_0) )."""
    ratio = np.linalg.solve(covariance_0, covariance)
    shift = mean_0 - mean
    distance = shift @ np.linalg.solve(covariance_0, shift)
    return 0.5 * (np.trace(ratio) - len(mean) + distance - np.linalg.slogdet(ratio)[1])


def example(rng, data=6, latent=3, noise_sd=0.5):
    """A random model and one x drawn from it."""
    model = LinearGaussian(rng.normal(size=(data, latent)), noise_sd)
    return model, model.w @ rng.normal(size=latent) + noise_sd * rng.normal(size=data)


def elbo_identity(seed, draws=2**14):
    """No. 22, section 1.5.1: log p(x) = ELBO + KL(q || posterior); E L_k does not fall with k.

    identity_error: largest difference over ten random q. smallest_step: smallest rise of the mean L_k when k doubles,
    1 to 64, on nested groups of draws (log of a mean is concave, so no step can be negative). gap_1, gap_64: log p(x)
    minus mean L_k.
    """
    rng = np.random.default_rng(seed)
    model, x = example(rng)
    errors = []
    for _ in range(10):
        mean, root = rng.normal(size=model.latent), rng.normal(size=(model.latent, model.latent))
        covariance = root @ root.T + 0.1 * np.eye(model.latent)
        kl = normal_kl(mean, covariance, model.posterior_mean(x), model.posterior_covariance)
        errors.append(abs(model.elbo(x, mean, covariance) + kl - model.log_p(x)))
    mean, sd = model.posterior_mean(x) + 0.2, 1.2 * np.sqrt(np.diag(model.posterior_covariance))
    log_w = model.log_weights(x, mean + sd * rng.normal(size=(draws, model.latent)), mean, sd)
    means = [np.mean(special.logsumexp(log_w.reshape(-1, k), axis=1) - np.log(k)) for k in (1, 2, 4, 8, 16, 32, 64)]
    gaps = model.log_p(x) - np.array(means)
    return {
        "identity_error": max(errors), "smallest_step": np.diff(means).min(), "gap_1": gaps[0], "gap_64": gaps[-1],
    }  # fmt: skip


def jensen_and_prior_sampling(seed, draws=64, repeats=2_000):
    """No. 48, section 1.5.1: log p(x) estimated from draws of the prior or of q, the same number of draws.

    variance_ratio: variance over repeats of the log-estimate, prior over q (a close q, as an encoder gives).
    """
    rng = np.random.default_rng(seed)
    model, x = example(rng)
    mean, sd = model.posterior_mean(x), 1.1 * np.sqrt(np.diag(model.posterior_covariance))
    noise = rng.normal(size=(2, repeats, draws, model.latent))
    logs = model.log_weights(x, noise[0]), model.log_weights(x, mean + sd * noise[1], mean, sd)
    prior, q = (special.logsumexp(each, axis=1) - np.log(draws) for each in logs)
    return {"variance_ratio": prior.var() / q.var(), "bias_prior": (prior - model.log_p(x)).mean(),
            "bias_q": (q - model.log_p(x)).mean()}  # fmt: skip


def same_density_other_posterior(seed, angle=0.7):
    """No. 47, section 1.4: rotating the latents changes p(z|x) and leaves p(x).

    A decoder W R has the density of W; how far the two posterior means lie apart is `posterior_distance`.
    """
    rng = np.random.default_rng(seed)
    model, x = example(rng, latent=2)
    c, s = np.cos(angle), np.sin(angle)
    rotated = LinearGaussian(model.w @ np.array([[c, -s], [s, c]]), model.s)
    return {
        "log_p_difference": abs(model.log_p(x) - rotated.log_p(x)),
        "posterior_distance": np.linalg.norm(model.posterior_mean(x) - rotated.posterior_mean(x)),
    }


def closed_form_kl(seed, draws=200_000):
    """No. 23, section 1.5.3: KL(N(m, diag s^2) || N(0, I)) = sum (m^2 + s^2 - 1 - log s^2)/2 against Monte Carlo.

    standard_errors: difference over its standard error.
    """
    rng = np.random.default_rng(seed)
    mean, sd = rng.normal(size=8), np.exp(0.5 * rng.normal(size=8))
    exact = 0.5 * np.sum(mean**2 + sd**2 - 1 - np.log(sd**2))
    z = mean + sd * rng.normal(size=(draws, 8))
    sample = log_diagonal(z, mean, sd) - log_diagonal(z, 0.0, 1.0)
    return {"standard_errors": abs(sample.mean() - exact) / (sample.std(ddof=1) / np.sqrt(draws)), "kl_nats": exact}


def gradient_estimators(seed, draws=200_000, dimension=10):
    """No. 24, section 1.5.3: d/dm E_q f(z) for f = sum (z - a)^2, q = N(m, I); the exact gradient is 2 (m - a).

    Reparameterised: 2 (z - a). Score function: f(z) d log q/dm = f(z) (z - m): the derivative of log q is by the
    parameters (the text prints it by q itself). variance_ratio: score function over reparameterised, summed over the
    coordinates; *_standard_errors: largest deviation from the exact gradient, both estimators being unbiased.
    """
    rng = np.random.default_rng(seed)
    mean, target = rng.normal(size=dimension), rng.normal(size=dimension)
    noise = rng.normal(size=(draws, dimension))
    z = mean + noise
    path = 2 * (z - target)
    score = np.sum((z - target) ** 2, axis=1, keepdims=True) * noise
    exact = 2 * (mean - target)
    off = {
        name: np.max(np.abs(g.mean(0) - exact) / (g.std(0) / np.sqrt(draws)))
        for name, g in (("path", path), ("score", score))
    }
    return {
        "variance_ratio": score.var(0).sum() / path.var(0).sum(),
        "path_standard_errors": off["path"], "score_standard_errors": off["score"],
    }  # fmt: skip


def minibatches(seed, images=8, batch=3):
    """Nos. 25 and 52, sections 1.5.3 and 1.5.2: (N/M) x the batch's sum is unbiased for the full sum.

    Exact, over all batches of M out of N: largest error of the mean bound, and of the mean gradient of a quadratic
    loss (the left side of the text's equation must be read as the full-data quantity).
    """
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(images, 4)), rng.normal(size=4)
    bound = -((x @ w) ** 2)
    gradient = -2 * (x @ w)[:, None] * x
    batches = [list(b) for b in itertools.combinations(range(images), batch)]
    scale = images / batch
    return {
        "bound_error": abs(np.mean([scale * bound[b].sum() for b in batches]) - bound.sum()),
        "gradient_error": np.abs(
            np.mean([scale * gradient[b].sum(0) for b in batches], axis=0) - gradient.sum(0)
        ).max(),
    }


def metrics(seed):
    """{"c22_identity_error": ...}: every check of this module."""
    found = {
        "c22": elbo_identity(seed),
        "c23": closed_form_kl(seed),
        "c24": gradient_estimators(seed),
        "c25": minibatches(seed),
        "c47": same_density_other_posterior(seed),
        "c48": jensen_and_prior_sampling(seed),
    }
    return {f"{claim}_{name}": float(value) for claim, part in found.items() for name, value in part.items()}
