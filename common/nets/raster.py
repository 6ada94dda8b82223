"""Drawing images from causal nets, pixel after pixel, without computing anything twice.

A full pass for every pixel costs H W passes for an image. Here every layer keeps what later pixels will ask for: a few
rows above, and of the current row a few columns to the left. When a row is done, the part of the next one that comes
from above is computed for the whole row at once; then each pixel adds what comes from its left. All in all an image
costs about one full pass (Ramachandran et al. 2017, for the two stacks of common.nets.gated and the single stack of
common.nets.causal alike).

    draw = cached(net)                   # naive(net) makes the same images by full passes, H W of them
    images = draw(uniforms, z=z)         # uniforms [B, H, W] in [0, 1): x = 1[u < p]; a compiled function

Nothing is random but the uniforms and z, which the caller draws: hold one and change the other to see what each does.
A row or column outside the image is a row or column of zeros to every layer, as in the full pass, and not the features
of a black image. The nets must compute in float32.
"""

import functools

import tensorflow as tf

from common.errors import UserError
from common.nets.causal import MaskedStack
from common.nets.gated import GatedStack, gate


class TwoStacks:
    """What `_raster` asks of a GatedStack: V and v2h row by row, H pixel by pixel."""

    def __init__(self, net, z):
        self.blocks = net.blocks
        self.rows = [_row_matrix(block.vertical.kernel()) for block in net.blocks]
        self.columns = [_column_matrix(block.horizontal.kernel()) for block in net.blocks]
        self.v2h = [block.v2h.kernel() for block in net.blocks]
        self.out = [(block.out.kernel(), block.out.bias) for block in net.blocks]
        # of V and of H, for each block: [1, 2 width], or [B, 2 width] given z
        self.biases = [[_flat(bias) for bias in block.biases(z)] for block in net.blocks]
        self.head = [(head.kernel(), _flat(bias)) for head, bias in zip(net.head, net.head_biases(z), strict=True)]
        self.logits = net.logits
        self.width = net.blocks[0].out.units
        self.kept = 1  # what is kept of a row: the input of the first block

    def start(self, batch, width, features):
        """(rows above each vertical convolution, columns left of each horizontal one, what row 0 gets from above)."""
        channels = [1 + features] + [self.width] * (len(self.blocks) - 1)
        half = [block.vertical.size // 2 for block in self.blocks]
        rows = [(tf.zeros([batch, width, c]),) * (n + 1) for n, c in zip(half, channels, strict=True)]
        columns = [(tf.zeros([batch, c]),) * n for n, c in zip(half, channels, strict=True)]
        above = [tf.broadcast_to(h[:, None], [batch, width, 2 * self.width]) for _, h in self.biases]
        return rows, columns, _by_column(above)

    def row(self, rows, inputs):
        """From V's input row r, what H gets at row r + 1: [W, blocks, B, 2 width]; and the rows kept."""
        x, above, kept = inputs[0], [], []
        for before, matrix, v2h, (v, h) in zip(rows, self.rows, self.v2h, self.biases, strict=True):
            kept.append((*before[1:], x))
            p = _row_product(kept[-1], matrix)
            above.append(tf.tensordot(p, v2h, 1) + h[:, None])
            x = gate(p + v[:, None])
        return kept, _by_column(above)

    def pixel(self, columns, above, features):
        """Logits [B, 1]; and what each horizontal convolution saw at this pixel, the image apart."""
        own = _join(tf.zeros_like(above[0, :, :1]), features)  # the pixel itself is not known yet
        h, seen = None, []
        for number, block in enumerate(self.blocks):
            before = columns[number]
            window = before if block.horizontal.taps == len(before) else (*before, h if number else own)
            matrix, bias = self.out[number]
            new = gate(_product(window, self.columns[number]) + above[number]) @ matrix + bias
            h = new + h if block.residual else new
            seen.append(h)
        for matrix, bias in self.head:
            h = gate(h @ matrix + bias)
        return self.logits(h), seen[:-1]

    def remembered(self, x, features, seen):
        """What the next row needs of this pixel; and what the next column needs."""
        x = _join(x, features)
        return [x], [x, *seen]


class SingleStack:
    """What `_raster` asks of a MaskedStack."""

    def __init__(self, net, z):
        if z is not None:
            raise UserError("a single stack takes z as features, not as a bias of its gates")
        self.layers = [net.first, *net.blocks]
        kernels = [layer.kernel() for layer in self.layers]
        self.rows = [_row_matrix(kernel[:-1]) for kernel in kernels]
        taps = [layer.size // 2 + (layer.kind == "B") for layer in self.layers]
        self.columns = [_column_matrix(kernel[-1:, :n]) for kernel, n in zip(kernels, taps, strict=True)]
        self.head, self.width = net.head, net.first.filters
        self.kept = len(self.layers)  # the input of every layer

    def start(self, batch, width, features):
        channels = ([1, self.width + features] + [self.width] * len(self.layers))[: len(self.layers)]
        half = [layer.size // 2 for layer in self.layers]
        rows = [(tf.zeros([batch, width, c]),) * n for n, c in zip(half, channels, strict=True)]
        columns = [(tf.zeros([batch, c]),) * n for n, c in zip(half, channels, strict=True)]
        above = [tf.broadcast_to(layer.bias, [batch, width, self.width]) for layer in self.layers]
        return rows, columns, _by_column(above)

    def row(self, rows, inputs):
        kept = [(*before[1:], x) for before, x in zip(rows, inputs, strict=True)]
        above = [_row_product(k, m) + layer.bias for k, m, layer in zip(kept, self.rows, self.layers, strict=True)]
        return kept, _by_column(above)

    def pixel(self, columns, above, features):
        h, seen = None, []
        for number, before in enumerate(columns):
            window = (*before, h) if number else before
            new = tf.nn.relu(_product(window, self.columns[number]) + above[number])
            h = new + h if number > 1 else new if number else _join(new, features)
            seen.append(h)
        for layer in self.head:
            h = layer(h)
        return h, seen[:-1]

    def remembered(self, x, features, seen):
        return [x, *seen], [x, *seen]


STEPS = {GatedStack: TwoStacks, MaskedStack: SingleStack}


def sample(model, uniforms, z=None):
    """Images [B, H, W, 1] of 0 and 1 from a model p(x|z) or p(x): x = 1[u < p], uniforms [B, H, W] or [B, H, W, 1].

    model: has a `decoder` and, if features of z go in beside the image, an `upsampler`. A decoder that is no causal
    net gives the logits of all pixels at once. z: [B, latent], or None if the model has none.
    """
    uniforms = tf.reshape(tf.convert_to_tensor(uniforms, tf.float32), tf.shape(uniforms)[:3])
    z = None if z is None else tf.convert_to_tensor(z, tf.float32)
    upsampler = getattr(model, "upsampler", None)
    if type(model.decoder) not in STEPS:
        return tf.cast(uniforms[..., None] < tf.sigmoid(model.decoder(z)), tf.float32)
    draw = _compiled_once(model.decoder)
    return draw(uniforms, z) if upsampler is None else draw(uniforms, features=upsampler(z))


@functools.lru_cache(maxsize=4)
def _compiled_once(net):
    return cached(net)


def cached(net, jit_compile=None):
    """A compiled function (uniforms [B, H, W], z, features) -> images [B, H, W, 1] of 0 and 1, drawn from `net`.

    z [B, latent]: the bias of the gates, for a GatedStack with a latent. features [B, H, W, F]: beside the image (in a
    MaskedStack beside its first layer). None where the net has none. Raises UserError for a net that computes in
    bfloat16. jit_compile: by XLA; default: only where there is a GPU, since it gains nothing on a CPU.
    """

    def draw(uniforms, z=None, features=None):
        return _raster(net, _threshold(uniforms), uniforms.shape, z, features)[0]

    return _compiled(draw, jit_compile)


def cached_logits(net, jit_compile=None):
    """A compiled function (images [B, H, W, 1], z, features) -> logits [B, H, W, 1]: a full pass, made as draws are."""

    def logits(images, z=None, features=None):
        given = tf.transpose(images[..., 0], [1, 2, 0])
        return _raster(net, lambda logit, r, c: given[r, c][:, None], images.shape[:3], z, features)[1]

    return _compiled(logits, jit_compile)


def naive(net, jit_compile=None):
    """What `cached` makes, by a full pass for every pixel."""

    def draw(uniforms, z=None, features=None):
        batch, height, width = uniforms.shape
        pixel_of = _threshold(uniforms)

        def one(number, images):
            r, c = number // width, number % width
            x = pixel_of(full_pass(net, images, z, features)[:, r, c], r, c)
            here = tf.reshape(tf.one_hot(number, height * width), [1, height, width, 1])
            return number + 1, images + here * x[:, None, None]

        return tf.while_loop(lambda n, _: n < height * width, one, (0, tf.zeros([batch, height, width, 1])))[1]

    return _compiled(draw, jit_compile)


def _compiled(function, jit_compile):
    if jit_compile is None:
        jit_compile = bool(tf.config.list_physical_devices("GPU"))
    return tf.function(function, jit_compile=jit_compile, autograph=False)


def full_pass(net, images, z=None, features=None):
    """Logits [B, H, W, 1] of images [B, H, W, 1], all in one pass: what training computes."""
    if isinstance(net, MaskedStack):
        return net(images, features)
    return net(_join(images, features), z)


def _threshold(uniforms):
    """x = 1[u < p] at row r and column c: a function of logits [B, 1]."""
    u = tf.transpose(uniforms, [1, 2, 0])
    return lambda logit, r, c: tf.cast(u[r, c][:, None] < tf.sigmoid(logit), tf.float32)


def _raster(net, pixel_of, shape, z, features):
    """(images, logits), both [B, H, W, 1]; pixel_of(logits [B, 1], row, column) -> pixels [B, 1]."""
    if net.compute_dtype != "float32":
        raise UserError("draw from a float32 copy of the net: copy.set_weights(net.get_weights())")
    batch, height, width = shape
    steps = STEPS[type(net)](net, z)
    if features is not None:
        features = tf.transpose(features, [1, 2, 0, 3])  # [H, W, B, F]
    rows, columns, above = steps.start(batch, width, 0 if features is None else features.shape[-1])

    def one_pixel(r, above, c, columns, inputs, pixels, logits):
        own = None if features is None else features[r, c]
        logit, seen = steps.pixel(columns, above[c], own)
        x = pixel_of(logit, r, c)
        of_row, of_column = steps.remembered(x, own, seen)
        inputs = [array.write(c, value) for array, value in zip(inputs, of_row, strict=True)]
        columns = [(*before[1:], value) for before, value in zip(columns, of_column, strict=True)]
        return c + 1, columns, inputs, pixels.write(r * width + c, x), logits.write(r * width + c, logit)

    def one_row(r, rows, above, pixels, logits):
        inputs = [tf.TensorArray(tf.float32, width, element_shape=[batch, b[0].shape[-1]]) for b in rows[: steps.kept]]
        _, _, inputs, pixels, logits = tf.while_loop(
            lambda c, *_: c < width, lambda *state: one_pixel(r, above, *state), (0, columns, inputs, pixels, logits)
        )
        rows, above = steps.row(rows, [tf.transpose(array.stack(), [1, 0, 2]) for array in inputs])
        return r + 1, rows, above, pixels, logits

    arrays = [tf.TensorArray(tf.float32, height * width, element_shape=[batch, 1]) for _ in range(2)]
    *_, pixels, logits = tf.while_loop(lambda r, *_: r < height, one_row, (0, rows, above, *arrays))
    return [tf.transpose(tf.reshape(a.stack(), [height, width, batch, 1]), [2, 0, 1, 3]) for a in (pixels, logits)]


def _row_matrix(kernel):
    """[rows, k, in, out] -> [k rows in, out], in the order of `_row_product`."""
    return tf.reshape(tf.einsum("rkio->krio", kernel), [-1, kernel.shape[-1]])


def _row_product(rows, matrix):
    """Convolution of rows, each [B, W, in], across their whole width: [B, W, out]."""
    size = matrix.shape[0] // (len(rows) * rows[0].shape[-1])
    width, half = rows[0].shape[1], size // 2
    x = tf.pad(tf.concat(rows, -1), [[0, 0], [half, half], [0, 0]])
    return tf.tensordot(tf.concat([x[:, k : k + width] for k in range(size)], -1), matrix, 1)


def _column_matrix(kernel):
    """[1, taps, in, out] -> [taps in, out]."""
    return tf.reshape(kernel, [-1, kernel.shape[-1]])


def _product(columns, matrix):
    """Columns [B, in] from left to right -> [B, out]."""
    return tf.concat(columns, -1) @ matrix


def _by_column(above):
    """Layers' [B, W, C] -> [W, layers, B, C]."""
    return tf.transpose(tf.stack(above), [2, 0, 1, 3])


def _join(x, features):
    return x if features is None else tf.concat([x, features], -1)


def _flat(bias):
    return tf.reshape(bias, [-1, bias.shape[-1]])
