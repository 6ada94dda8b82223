"""Initial weights that Keras does not have."""

import keras


class Sparse(keras.initializers.Initializer):
    """Caffe's sparse Gaussian filler: kernel = mask * N(0, sd^2), mask ~ Bernoulli(nonzero / fan_out), independent.

    On average `nonzero` weights leave each input; the mean number that arrive at a unit is nonzero * fan_in / fan_out.
    A unit whose column is all zero has pre-activation 0 at bias 0, and no gradient through a ReLU: it stays dead. Of
    the kernel [fan_in, fan_out] the expected share of other columns is 1 - (1 - nonzero / fan_out)^fan_in.
    seed: two layers need two initialisers or seeds; default: from Keras's global seed.
    """

    def __init__(self, nonzero=15, sd=0.1, seed=None):
        self.nonzero, self.sd, self.seed = nonzero, sd, seed

    def __call__(self, shape, dtype=None):
        seeds = keras.random.SeedGenerator(self.seed)
        weights = keras.random.normal(shape, stddev=self.sd, dtype=dtype, seed=seeds)
        return weights * keras.ops.cast(keras.random.uniform(shape, seed=seeds) < self.nonzero / shape[1], dtype)

    def get_config(self):
        return {"nonzero": self.nonzero, "sd": self.sd, "seed": self.seed}
