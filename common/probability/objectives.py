"""What is minimised: the negative ELBO, the GAN losses, the Wasserstein losses and the gradient penalty.

Every function returns the mean over the batch of a quantity per image; logits and scores may have any shape, [B] or
[B, 1] mostly.
"""

import tensorflow as tf


def negative_elbo(log_likelihood, kl, beta=1.0):
    """-ELBO = mean over images of  beta KL(q(z|x) || p(z)) - log p(x|z)   [nats per image].

    log_likelihood, kl: [B], both summed over their dimensions (Doersch, Eq. 5). beta = 1 is the bound; other values
    are beta-VAE.
    """
    return tf.reduce_mean(beta * kl - log_likelihood)


def discriminator_loss(real_logits, fake_logits, real_label=1.0):
    """-E log D(x) - E log(1 - D(G(z))) with D = sigmoid(logit)   [nats].

    A discriminator that guesses has 2 log 2 = 1.386.
    From logits a:  -log D = softplus(-a),  -log(1 - D) = softplus(a); no probability is ever formed, so nothing
    saturates. real_label < 1 is one-sided label smoothing: cross-entropy of the real images against that label.
    """
    real = tf.nn.softplus(-real_logits) + (1.0 - real_label) * real_logits
    return tf.reduce_mean(real) + tf.reduce_mean(tf.nn.softplus(fake_logits))


def generator_loss(fake_logits, saturating: bool = False):
    """Non-saturating: -E log D(G(z)). Saturating (the minimax game itself): E log(1 - D(G(z)))   [nats].

    From logits a: softplus(-a) and -softplus(a). Their gradients by a are -(1 - D) and -D, so they point the same
    way and the ratio non-saturating / saturating is (1 - D)/D: where the discriminator is sure (D near 0) the
    saturating loss has almost no gradient left and the other nearly 1.
    """
    if saturating:
        return -tf.reduce_mean(tf.nn.softplus(fake_logits))
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def wasserstein_critic_loss(real_scores, fake_scores):
    """E f(G(z)) - E f(x): minus the critic's estimate of the Wasserstein-1 distance, in units of the score."""
    return tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores)


def wasserstein_generator_loss(fake_scores):
    """-E f(G(z))."""
    return -tf.reduce_mean(fake_scores)


def gradient_penalty(critic, real, fake, uniforms, eps=1e-12):
    """E ( ||grad_x f(x^)||_2 - 1 )^2 at x^ = u x + (1 - u) G(z), one u ~ U(0, 1) per image.

    Gulrajani et al. 2017, Eq. 3, without its weight.
    critic: [B, ...] -> scores, one per image, of any shape; it must treat images independently (no batch norm), else
    the gradient of the summed scores is not the gradient per image. real, fake: [B, ...] of one dtype. uniforms:
    [B]. The norm runs over all pixels. eps stands under the root because sqrt has no finite derivative at a zero
    gradient (a dead critic would give NaN).
    """
    weight = tf.reshape(uniforms, [-1] + [1] * (real.shape.rank - 1))
    mixed = weight * real + (1.0 - weight) * fake
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(mixed)
        total = tf.reduce_sum(critic(mixed))
    gradient = tape.gradient(total, mixed)
    norm = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=list(range(1, mixed.shape.rank))) + eps)
    return tf.reduce_mean(tf.square(norm - 1.0))
