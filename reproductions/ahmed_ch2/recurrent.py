"""Section 1.6.3, Figures 1.4 and 1.5: what a pixel sees in a Row LSTM and in a Diagonal BiLSTM (claim 42).

Both are LSTMs over whole rows or diagonals of an image. Input and state meet in one cell:

    o, f, i = sigma(...), g = tanh(...)  of  input-to-state + state-to-state;   c = f c_before + i g;   h = o tanh(c)

c_before: in the Row LSTM the cell state above; in the diagonal one, ours, (c_left + c_above) / 2, for a pixel has two
predecessors there. Van den Oord et al. (2016a) have c_left alone; h comes from both predecessors either way.

Small float64 networks with random weights; supports are gradients, exact.
"""

import numpy as np
import tensorflow as tf

from reproductions.ahmed_ch2.supports import earlier

CHANNELS = 2


def cell(mixed, before):
    """(h, c) after one step; mixed [..., 4 CHANNELS] is input-to-state plus state-to-state, before is c_before."""
    o, f, i, g = tf.split(mixed, 4, axis=-1)
    c = tf.sigmoid(f) * before + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(c), c


def along(x, kernel):
    """One-dimensional convolution over columns with zeros outside: x [B, W, in], kernel [k, in, out], k odd."""
    half = len(kernel) // 2
    padded = tf.pad(x, [[0, 0], [half, half], [0, 0]])
    return tf.add_n([tf.matmul(padded[:, tap : tap + x.shape[1]], kernel[tap]) for tap in range(len(kernel))])


def row_lstm(seed=0):
    """A Row LSTM, [B, H, W, 1] -> [B, H, W, CHANNELS]: row by row, 3-wide convolutions; the input's has mask A."""
    rng = np.random.default_rng(seed)
    of_input, of_state = rng.normal(size=(3, 1, 4 * CHANNELS)), rng.normal(size=(3, CHANNELS, 4 * CHANNELS))
    of_input[1:] = 0  # mask A: only what is left of the pixel

    def net(image):
        h = c = tf.zeros([len(image), image.shape[2], CHANNELS], tf.float64)
        rows = []
        for row in tf.unstack(image, axis=1):
            h, c = cell(along(row, of_input) + along(h, of_state), c)
            rows.append(h)
        return tf.stack(rows, axis=1)

    return net


def triangle(pixel, shape) -> np.ndarray:
    """bool [H, W]: the Row LSTM's support. d rows above, 2 d + 1 columns wide.

    Mask A moves it one column left; so the last column, which is left of nothing, is never seen.
    """
    rows, columns = np.indices(shape)
    d = pixel[0] - rows
    return (d >= 0) & (abs(columns - (pixel[1] - 1)) <= d) & (columns < shape[1] - 1)


def skew(x):
    """[B, H, W, C] -> [B, H, H + W - 1, C]: row r moves r columns right, so that diagonals become columns."""
    batch, height, width, channels = x.shape
    padded = tf.pad(x, [[0, 0], [0, 0], [0, height], [0, 0]])
    flat = tf.reshape(padded, [batch, height * (width + height), channels])[:, :-height]
    return tf.reshape(flat, [batch, height, width + height - 1, channels])


def unskew(x):
    """The inverse of `skew`."""
    batch, height, wide, channels = x.shape
    flat = tf.pad(tf.reshape(x, [batch, height * wide, channels]), [[0, 0], [0, height], [0, 0]])
    return tf.reshape(flat, [batch, height, wide + 1, channels])[:, :, : wide + 1 - height]


def diagonal_lstm(features, of_input, of_state):
    """From the upper left corner along diagonals: a pixel's state comes from the pixel to its left and the one above.

    Their cell states enter as a mean, outside the image as 0.
    features [B, H, W, in] -> [B, H, W, CHANNELS]; of_state [2, CHANNELS, 4 CHANNELS]: from above, from the left.
    """
    skewed = skew(tf.matmul(features, of_input))
    h = c = tf.zeros([len(features), features.shape[1], CHANNELS], tf.float64)
    columns = []
    for column in tf.unstack(skewed, axis=2):
        h_above, c_above = (tf.pad(s, [[0, 0], [1, 0], [0, 0]])[:, :-1] for s in (h, c))
        h, c = cell(column + tf.matmul(h_above, of_state[0]) + tf.matmul(h, of_state[1]), (c + c_above) / 2)
        columns.append(h)
    return unskew(tf.stack(columns, axis=2))


def diagonal_bilstm(seed=0, shifted=True, own_input=True):
    """Both directions, [B, H, W, 1] -> [B, H, W, CHANNELS].

    The map from the right is moved one row down, so that it knows nothing of the pixel's own row (shifted=False leaves
    it, to show the leak). The left direction's input has mask A. own_input: the right direction reads the pixel at its
    place (after the shift that is one row above); False gives it the masked input of the left one.
    """
    rng = np.random.default_rng(seed)
    of_input = rng.normal(size=(2, 1, 4 * CHANNELS))
    of_state = rng.normal(size=(2, 2, CHANNELS, 4 * CHANNELS))

    def net(image):
        past = tf.pad(image, [[0, 0], [0, 0], [1, 0], [0, 0]])[:, :, :-1]
        left = diagonal_lstm(past, of_input[0], of_state[0])
        right = diagonal_lstm((image if own_input else past)[:, :, ::-1], of_input[1], of_state[1])[:, :, ::-1]
        if shifted:
            right = tf.pad(right, [[0, 0], [1, 0], [0, 0], [0, 0]])[:, :-1]
        return left + right

    return net


def supports(net, shape) -> dict[tuple[int, int], np.ndarray]:
    """{pixel: bool [H, W]}: the support of every pixel; the batch has one copy of the image for each."""
    pixels = list(np.ndindex(*shape))
    chosen = np.eye(len(pixels)).reshape(-1, *shape, 1)
    image = tf.constant(np.repeat(np.random.default_rng(1).random((1, *shape, 1)), len(pixels), axis=0))
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = tf.reduce_sum(net(image) * chosen)
    return dict(zip(pixels, tape.gradient(value, image).numpy()[..., 0] != 0, strict=True))


def metrics(side=8) -> dict[str, float]:
    """Claim 42, counted over all pairs of pixels of a square image.

    row_error: where the Row LSTM's support is not the triangle; row_unseen: earlier pixels that it does not see.
    diagonal_error: where the BiLSTM's support is not all earlier pixels. unshifted_leaks: pixels at or after its place
    that a pixel sees if the right map is not moved down. masked_unseen: earlier pixels that are missed if both
    directions get the masked input: the last column, which is left of nothing. skew_error: skewed[r, r + c] against
    x[r, c], and the way back.
    """
    shape = (side, side)
    row, diagonal, unshifted, masked = (
        supports(net, shape)
        for net in (row_lstm(), diagonal_bilstm(), diagonal_bilstm(shifted=False), diagonal_bilstm(own_input=False))
    )
    x = np.random.default_rng(0).normal(size=(1, side, side, CHANNELS))
    skewed = skew(tf.constant(x)).numpy()
    diagonals = [np.abs(skewed[0, r, r + c] - x[0, r, c]).max() for r, c in np.ndindex(*shape)]
    before = {pixel: earlier(pixel, shape) for pixel in row}
    return {
        "row_error": sum(np.sum(row[p] != triangle(p, shape)) for p in row),
        "row_unseen": sum(np.sum(before[p] & ~row[p]) for p in row),
        "diagonal_error": sum(np.sum(before[p] != diagonal[p]) for p in row),
        "unshifted_leaks": sum(np.sum(unshifted[p] & ~before[p]) for p in row),
        "masked_unseen": sum(np.sum(before[p] & ~masked[p]) for p in row),
        "skew_error": max(*diagonals, np.abs(unskew(tf.constant(skewed)).numpy() - x).max()),
    }
