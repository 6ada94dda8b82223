"""The same models and steps in JAX: one jitted step, hand-written Adam, images in memory."""

import time

import jax
import jax.numpy as jnp
import numpy as np

PIXELS = jnp.asarray((np.random.default_rng(0).random((6000, 28, 28, 1)) < 0.2).astype(np.uint8) * 255)
BATCH = {"dense_vae": 100, "conv_vae": 100, "dcgan": 64}
KEY = jax.random.PRNGKey(0)


def glorot(key, shape):
    fan_in, fan_out = np.prod(shape[:-1]), np.prod(shape[:-2]) * shape[-1]
    return jax.random.normal(key, shape) * np.sqrt(2.0 / (fan_in + fan_out))


def weights(shapes):
    keys = jax.random.split(KEY, len(shapes))
    return [(glorot(k, s), jnp.zeros(s[-1])) for k, s in zip(keys, shapes, strict=True)]


def dense(parameters, x):
    for w, b in parameters[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = parameters[-1]
    return x @ w + b


def conv(x, w, stride=1):
    return jax.lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def up(x, w):
    return jax.lax.conv_transpose(x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def bernoulli_cross_entropy(logits, x):
    return jnp.sum(jax.nn.softplus(logits) - x * logits)


def negative_elbo(encode, decode):
    def loss(parameters, x, key):
        mean, log_sd = jnp.split(encode(parameters[0], x), 2, -1)
        z = mean + jnp.exp(log_sd) * jax.random.normal(key, mean.shape)
        kl = 0.5 * jnp.sum(mean**2 + jnp.exp(2 * log_sd) - 1 - 2 * log_sd)
        return (bernoulli_cross_entropy(decode(parameters[1], z), x) + kl) / len(x)

    return loss


def dense_vae():
    sizes = ((784, 1000, 500, 250, 60), (30, 250, 500, 1000, 784))
    parameters = [weights(list(zip(s, s[1:], strict=False))) for s in sizes]
    encode = lambda p, x: dense(p, x.reshape(len(x), -1))  # noqa: E731
    decode = lambda p, z: dense(p, z).reshape(len(z), 28, 28, 1)  # noqa: E731
    return parameters, negative_elbo(encode, decode)


def conv_vae():
    k = lambda a, b: (3, 3, a, b)  # noqa: E731
    channels = ((1, 32), (32, 32), (32, 32), (32, 64), (64, 64), (64, 64), (64, 64), (64, 64))
    strides = (1, 2, 1, 2, 1, 2, 1, 1)
    encoder = weights([k(*c) for c in channels] + [(1024, 128)])
    body = ((64, 64), (64, 64), (64, 64), (64, 64), (64, 32), (32, 32), (32, 32), (32, 32))
    decoder = weights([(64, 1024)] + [k(*c) for c in body] + [(1, 1, 32, 1)])
    doubles = (False, False, True, False, True, False, True, False)

    def encode(parameters, x):
        for number, ((w, b), stride) in enumerate(zip(parameters[:-1], strides, strict=True)):
            x = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))) if number == 4 else x
            x = jax.nn.relu(conv(x, w, stride) + b)
        w, b = parameters[-1]
        return x.reshape(len(x), -1) @ w + b

    def decode(parameters, z):
        w, b = parameters[0]
        x = jax.nn.relu(z @ w + b).reshape(-1, 4, 4, 64)
        for number, ((w, b), double) in enumerate(zip(parameters[1:-1], doubles, strict=True)):
            x = x[:, :7, :7] if number == 4 else x
            x = jax.nn.relu((up(x, w) if double else conv(x, w)) + b)
        w, b = parameters[-1]
        return conv(x, w) + b

    return [encoder, decoder], negative_elbo(encode, decode)


def adam(parameters, gradients, state, rate=1e-3, b1=0.9, b2=0.999):
    m, v, t = state
    t = t + 1
    m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, gradients)
    v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, gradients)
    scale = rate * jnp.sqrt(1 - b2**t) / (1 - b1**t)
    return jax.tree.map(lambda p, m, v: p - scale * m / (jnp.sqrt(v) + 1e-8), parameters, m, v), (m, v, t)


def dcgan():
    generator = weights([(128, 4096)] + [(5, 5, *c) for c in ((256, 128), (128, 64), (64, 1))])
    scales = [(jnp.ones(c), jnp.zeros(c)) for c in (256, 128, 64)]
    discriminator = weights([(5, 5, *c) for c in ((1, 64), (64, 128), (128, 256))] + [(4096, 1)])

    def norm(x, scale):
        mean, variance = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
        return jax.nn.relu((x - mean) * jax.lax.rsqrt(variance + 1e-3) * scale[0] + scale[1])

    def generate(parameters, z):
        layers, scales = parameters
        (w, b), *rest = layers
        x = norm((z @ w + b).reshape(-1, 4, 4, 256), scales[0])
        for number, (w, b) in enumerate(rest):
            x = up(x, w) + b
            x = x[:, :7, :7] if number == 0 else x
            x = norm(x, scales[number + 1]) if number < 2 else jax.nn.sigmoid(x)
        return x

    def logits(parameters, x):
        for w, b in parameters[:-1]:
            x = jax.nn.leaky_relu(conv(x, w, 2) + b, 0.2)
        w, b = parameters[-1]
        return x.reshape(len(x), -1) @ w + b

    def discriminator_loss(d, g, x, key):
        fake = jax.lax.stop_gradient(generate(g, jax.random.normal(key, (len(x), 128))))
        real_logits, fake_logits = jnp.split(logits(d, jnp.concatenate([x, fake])), 2)
        return jnp.mean(jax.nn.softplus(-real_logits)) + jnp.mean(jax.nn.softplus(fake_logits))

    def generator_loss(g, d, x, key):
        return jnp.mean(jax.nn.softplus(-logits(d, generate(g, jax.random.normal(key, (len(x), 128))))))

    def update(parameters, state, x, keys):
        (g, d), (g_state, d_state) = parameters, state
        d, d_state = adam(d, jax.grad(discriminator_loss)(d, g, x, keys[0]), d_state, 2e-4, 0.5)
        value, gradient = jax.value_and_grad(generator_loss)(g, d, x, keys[1])
        g, g_state = adam(g, gradient, g_state, 2e-4, 0.5)
        return (g, d), (g_state, d_state), value

    return ((generator, scales), discriminator), update


def vae_update(loss):
    def update(parameters, state, x, keys):
        x = (jax.random.uniform(keys[0], x.shape) < x).astype(jnp.float32)
        value, gradients = jax.value_and_grad(loss)(parameters, x, keys[1])
        parameters, state = adam(parameters, gradients, state)
        return parameters, state, value

    return update


def fresh(parameters):
    """Adam's state before the first step."""
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return zeros, zeros, jnp.zeros(())


def contender(game):
    batch = BATCH[game]
    if game == "dcgan":
        parameters, update = dcgan()
        state = tuple(fresh(p) for p in parameters)
    else:
        parameters, loss = {"dense_vae": dense_vae, "conv_vae": conv_vae}[game]()
        state, update = fresh(parameters), vae_update(loss)

    @jax.jit
    def step(parameters, state, key):
        key, rows, *keys = jax.random.split(key, 4)
        x = PIXELS[jax.random.randint(rows, (batch,), 0, len(PIXELS))] / 255.0
        parameters, state, value = update(parameters, state, x, keys)
        return parameters, state, key, value

    carry = [parameters, state, KEY]

    def run(steps):
        started = time.monotonic()
        for _ in range(steps):
            *carry[:], value = step(*carry)
        value.block_until_ready()
        return time.monotonic() - started, 0.0, batch

    return run
