"""Pictures: F2, F4, F6, F7, F9, F10, F12 and F13 of the report, drawn from the arrays of the lowest seed's record.

Grids have two pixels between pictures, as the author's, and but for F12 and F13 eight a row. His own pictures are not
repeated here.
"""

from pathlib import Path

import numpy as np
from matplotlib.ticker import MultipleLocator
from sklearn.decomposition import PCA

from common.reporting.figures import COLOURS, image_grid, plt, save_figure, style
from reproductions.guo.chosen import (
    BAO,
    CVAE,
    DCGAN,
    FACES,
    GAN,
    RADFORD,
    VAE,
    best,
    epochs,
    judges,
    length,
    of_net,
    scores,
)


def draw(records, results_dir: str | Path) -> None:
    """All pictures for which there are records, into <results>/guo."""
    folder = Path(results_dir) / "guo"
    first = {net: next(iter(best(records, net)), None) for net in (GAN, DCGAN, RADFORD, FACES, VAE, CVAE, BAO)}
    drawings = (
        (GAN, gan_samples, "figure_02_gan_samples"),
        (FACES, faces, "figure_06_faces"),
        (VAE, latents, "figure_07_vae_latents"),
        (VAE, manifold, "figure_09_vae_manifold"),
        (VAE, vae_samples, "figure_10_vae_samples"),
        (CVAE, cvae_gan_samples, "figure_12_cvae_gan_samples"),
        (BAO, cvae_gan_samples, "figure_12_as_described"),
        (CVAE, styles_and_walks, "figure_13_cvae_gan"),
        (BAO, styles_and_walks, "figure_13_as_described"),
    )
    for net, drawing, name in drawings:
        if first[net]:
            drawing(first[net], scores(first[net], results_dir), folder / f"{name}.png")
    dcgans = {words: (first[net], next((r for r in best(records, net, of_net) if r.seed == first[net].seed), None))
              for net, words in ((DCGAN, "as in the code"), (RADFORD, "as described")) if first[net]}  # fmt: skip
    if dcgans:
        dcgan_samples(dcgans, results_dir, folder / "figure_04_dcgan_samples.png")


def origin(record) -> str:
    """ "as_code, cpu scale, seed 1, 20 of 200 epochs": the run behind a picture."""
    return f"{record.settings['variant']}, {record.scale} scale, seed {record.seed}, {length(record)}"


def panels(figure_size, grids: list[tuple[str, np.ndarray]], rows: int, path, caption):
    """Pictures with titles, (title, picture) each, side by side in so many rows; the first row's in one scale."""
    columns = -(-len(grids) // rows)
    widths = [grid.shape[1] for _, grid in grids[:columns]]
    with style():
        figure, axes = plt.subplots(rows, columns, figsize=figure_size, squeeze=False, width_ratios=widths)
        for axis, (title, grid) in zip(axes.flat, grids, strict=False):
            axis.imshow(grid, cmap="gray", vmin=0, vmax=255)
            axis.set_title(title)
        for axis in axes.flat:
            axis.set_axis_off()
        return save_figure(figure, path, caption)


def quarters(arrays, count, prepare=lambda images: images, columns=8) -> list[tuple[str, np.ndarray]]:
    """[("Epoch 50", grid), ...] of the moments at which samples are kept."""
    return [
        (f"Epoch {epoch}", image_grid(prepare(arrays[f"grid_q{q}"][:count]), columns))
        for q, epoch in enumerate(arrays["grid_epochs"], start=1)
        if f"grid_q{q}" in arrays
    ]


def gan_samples(record, arrays, path):
    """F2: 100 samples of the GAN after each quarter of the epochs."""
    panels((8, 12), quarters(arrays, 100), 2, path, f"Fig. F2: samples of the GAN ({origin(record)}).")


def dcgan_samples(nets, results_dir, path):
    """F4: 96 samples of the DCGAN after half and all of the epochs, as in the code and as described.

    nets: {words: (record, one of a shorter training or None)}. Of a training whose pictures on the way are not kept,
    the end of the shorter one stands in the place of the half.
    """
    grids, others = [], ""
    for words, (record, shorter) in nets.items():
        shown = [(words, picture) for picture in quarters(scores(record, results_dir), 96)[1::2]]
        if len(shown) < 2 and shorter:
            shown = [(f"{words}, another training", quarters(scores(shorter, results_dir), 96)[-1])]
            shown.append((words, quarters(scores(record, results_dir), 96)[-1]))
            others += f" Another training: {origin(shorter)}{other_judge(record, shorter)}."
        grids += [(f"{name}, {title.lower()}", grid) for name, (title, grid) in shown]
    lines = "; ".join(f"{words}: {origin(record)}" for words, (record, _) in nets.items())
    caption = (
        f"Fig. F4: samples of the DCGAN, {lines}.{others} The author's show 3s and 8s, and one 5; the text describes "
        "another network."
    )
    panels((8, 6 * len(nets)), grids, len(nets), path, caption)


def other_judge(record, other) -> str:
    """That two records' pictures are counted by two judges, or nothing."""
    return "; its numbers are by another judge" if judges([record, other]) else ""


def faces(record, arrays, path):
    """F6: 64 real faces beside 64 generated ones from fixed noise."""
    last = f"grid_q{len(arrays['grid_epochs'])}"
    when = f"generated, epoch {arrays['grid_epochs'][-1]}"
    grids = [(name, image_grid(arrays[key][:64], 8)) for name, key in (("real", "real"), (when, last))]
    caption = f"Fig. F6: real and generated faces ({origin(record)}; {record.stand_in or record.data['name']})."
    panels((8, 4.4), grids, 1, path, caption)


def latents(record, arrays, path):
    """F7: sampled latents of the test images after the last epoch, rotated by a principal component analysis.

    A panel a digit, its points in blue on all others in grey: no ten colours can be told apart by every reader.
    """
    z, labels = PCA(2).fit_transform(arrays["scatter_z"].astype(float)), arrays["scatter_labels"]
    with style():
        figure, axes = plt.subplots(2, 5, figsize=(8, 3.8), sharex=True, sharey=True)
        for axis, digit in zip(axes.flat, range(10), strict=True):
            of_digit = labels == digit
            for points, colour in ((z[~of_digit], "#D8D8D8"), (z[of_digit], COLOURS[0])):
                axis.plot(*points.T, "o", color=colour, markersize=1.2, markeredgewidth=0)
            axis.set(aspect="equal")
            axis.xaxis.set_major_locator(MultipleLocator(2))
            axis.set_title(str(digit), weight="bold", pad=2)
            axis.tick_params(labelsize=9)
        figure.supxlabel("first component", fontsize=10)
        figure.supylabel("second component", fontsize=10)
        caption = (
            f"Fig. F7: sampled latents of {len(z):,} test images ({origin(record)}), a panel a digit: its images in "
            "blue on those of all others in grey. Of two latents the analysis is a rotation only."
        )
        save_figure(figure, path, caption)


def manifold(record, arrays, path):
    """F9: decodes of the 20 x 20 quantiles of the prior; the row is the second latent."""
    caption = (
        f"Fig. F9: pictures over the 20 x 20 quantiles (.05 to .95) of the prior, weights of the best epoch "
        f"({origin(record)}). Sign and rotation of latents differ between trainings."
    )
    with style():
        figure, axis = plt.subplots(figsize=(8, 8))
        axis.imshow(image_grid(arrays["manifold"], 20, separator=0), cmap="gray")
        axis.set_axis_off()
        save_figure(figure, path, caption)


def stretched(images) -> np.ndarray:
    """Grey values of a whole grid from its smallest to its largest, as the author's pictures of the VAE have them."""
    low, high = float(images.min()), float(images.max())
    return (images.astype(float) - low) / max(high - low, 1.0)


def vae_samples(record, arrays, path):
    """F10: 64 decodes of prior draws after each quarter of the epochs."""
    caption = (
        f"Fig. F10: samples of the VAE, grey values stretched for each grid as the author's are ({origin(record)})."
    )
    panels((8, 8.6), quarters(arrays, 64, prepare=stretched), 2, path, caption)


def cvae_gan_samples(record, arrays, path):
    """F12: samples of the digits 0 to 9, a column each, after each quarter of the epochs."""
    asked = arrays["grid_labels"]
    digits = np.unique(asked)
    rows = np.bincount(asked)[digits].min()
    order = np.stack([np.flatnonzero(asked == digit)[:rows] for digit in digits], axis=1).ravel()
    grids = quarters(arrays, len(asked), lambda images: stretched(images[order]), len(digits))
    caption = (
        f"Fig. F12: samples of the CVAE-GAN, a column for each digit that was asked for, {digits[0]} to {digits[-1]} "
        f"from left to right ({origin(record)}); grey values stretched as the author's are."
    )
    panels((8, 8.3), grids, 2, path, caption)


def styles_and_walks(record, arrays, path):
    """F13: a row a digit of eight prior draws; walks between two test images; one z a row under ten labels."""
    grids = [
        (f"(a) one digit a row,\neight z; epoch {epochs(record)}", tiled(arrays["classes"])),
        ("(b) from a real image (left)\nto another (right)", tiled(arrays["walk"])),
        ("(c) one z a row,\nten labels", tiled(arrays["labels_swapped"])),
    ]
    caption = (
        f"Fig. F13: CVAE-GAN ({origin(record)}). Where z matters, the rows of (a) vary and those of (c) differ. In (b) "
        "z and label move together."
    )
    panels((8, 3.5), grids, 1, path, caption)


def tiled(pictures) -> np.ndarray:
    """[rows, columns, H, W] as one grid."""
    rows, columns = pictures.shape[:2]
    return image_grid(pictures.reshape(rows * columns, *pictures.shape[2:]), columns)
