"""Random numbers as pure functions of a seed, the same in plain Python, in a graph and under XLA.

TensorFlow and XLA agree on the bits that Philox makes of a seed, not on the floats they make of the bits; so the floats
are made here. Seeds are int32 [2].
"""

import math

import tensorflow as tf


def fold_in(seed, number):
    """A new seed, int32 [2], for place `number` of what `seed` stands for."""
    return tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int32), alg="philox")


def bits(shape, seed):
    """uint32 of `shape`, each value as likely."""
    return tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox")


def as_uniform(words):
    """uint32 -> float32 in [0, 1): multiples of 2^-24, each as likely."""
    return tf.cast(tf.bitwise.right_shift(words, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24


def as_normal(words, axis=0):
    """uint32 [.. 2n ..] -> N(0, 1) float32 [.. n ..]: Box and Muller's cosine of two halves of `axis`.

    -log(1 - u) of a multiple u of 2^-24 ends at 16.6, so no draw is farther than 5.77 from 0.
    """
    u, v = tf.split(as_uniform(words), 2, axis)
    return tf.sqrt(-2.0 * tf.math.log1p(-u)) * tf.cos(2.0 * math.pi * v)


def uniform(shape, seed):
    """U[0, 1) draws of `shape`."""
    return as_uniform(bits(shape, seed))


def normal(shape, seed):
    """N(0, 1) draws of `shape`."""
    return as_normal(bits([2 * shape[0], *shape[1:]], seed))
