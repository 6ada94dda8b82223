"""Measures of the claims on trained networks: records of gan.py, faces.py, vae.py and cvae_gan.py.

`claims_rules` has the functions; it also says which claims a run shorter than the author's may decide.
"""

import math

from reproductions.guo import author, values
from reproductions.guo.chosen import BAO, CVAE, DCGAN, FACES, GAN, GAN_TEXT, RADFORD, VAE, VAE_TEXT, variant
from reproductions.guo.claims_rules import (
    all_hold,
    beside_best,
    counted,
    each_shown,
    either,
    first_below,
    gap,
    metric,
    on_mnist,
    parameters,
    raced,
    rule,
    spread_ratio,
)

OUTPERFORMS = ("C07a", "C07b", "C08a", "C08b", "C08c", "C08d")  # claim 11: quality and stability
GRID = ("as_code", "lr_0.0001", "lr_0.0004", "batch_50", "batch_200")  # claim 35
RIVALS = {net: variant(GAN, name) for net, name in ((DCGAN, "dcgan_settings"), (RADFORD, "radford_settings"))}


def sharper_by_latents(small, large):
    """Share of the edge variance missing at two latents that more latents bring back."""
    return (large["edge_variance"] - small["edge_variance"]) / (small["edge_variance_test"] - small["edge_variance"])


def lost(net, fails):
    """Of the code's CVAE-GAN: a short run whose z already says nothing shows that the claim fails; else None."""
    return (lambda m: values.ignores_z(m) and fails(m)) if net == CVAE else None


OF_GAN = {
    "C02a": rule(
        values.blur, VAE, GAN,
        text="{0[edge_variance]:.4f} against {1[edge_variance]:.4f}; real {1[edge_variance_test]:.4f}",
    ),
    "C02b": gap("grey_fraction", VAE, GAN),
    "C03a": rule(values.speckle, GAN, text="{0[border_mean]:.4f} against {0[border_mean_test]:.4f}"),
    "C04a": gap("z_neighbour_accuracy", GAN, VAE),
    "C04b": gap("z_linear_accuracy", GAN, VAE),
    "C04c": gap("z_neighbour_accuracy", variant(GAN, "latent_2"), VAE),
    "C04d": gap("z_label_changes", variant(GAN, "latent_2"), VAE),
    "C04e": gap("z_label_changes", GAN, VAE),
    "C04f": gap("z_path_length", GAN, VAE),
    "C05a": gap("label_entropy_nats", VAE, GAN),
    "C05b": gap("recall", VAE, GAN),
    "C05c": gap("nearest_within", VAE, GAN),
    "C09": counted(values.partly_collapsed, GAN),
    "C16a": gap("frechet", VAE, GAN),
    "C21a": metric("d_loss_last", GAN, to_the_end=True),
    "C21b": metric("g_loss_last", GAN, to_the_end=True),
    "C21c": metric("D_x_last", GAN, to_the_end=True),
    "C21d": metric("D_Gz_last", GAN, to_the_end=True),
    "C22a": metric("d_loss_spearman", GAN),
    "C22b": metric("g_loss_spearman", GAN),
    "C35": beside_best("frechet", *(variant(GAN, name) for name in GRID)),
    "L01a": metric("d_loss_last", GAN, to_the_end=True),
    "L01b": metric("g_loss_last", GAN, to_the_end=True),
}  # fmt: skip

OF_GAN |= either({
    "C01a": lambda net: metric("precision", net, text="recall {0[recall]:.2f}, K {0[classes]:.0f}"),
    "C01b": lambda net: rule(
        lambda m: m["frechet"] / m["frechet_q1"], net,
        text="{0[frechet_q1]:.1f} to {0[frechet]:.1f}; halves of the test set {0[frechet_test_halves]:.2f}",
    ),
}, GAN, GAN_TEXT)  # fmt: skip

OF_DCGAN = either({
    "C03b": lambda net: gap("border_mean", GAN, net),
    "C07a": lambda net: on_mnist(rule(values.better_parts, net, GAN, text=values.parts_shown)),
    "C07b": lambda net: gap("frechet", net, GAN),
    "C08a": lambda net: metric(
        "g_loss_slope", net, to_the_end=True, text="{0[g_loss_first]:.1f} to {0[g_loss_last_fifth]:.1f}"
    ),
    "C08b": lambda net: rule(values.steadier, net, GAN, text=values.steadier_shown, arrays=True),
    "C08c": lambda net: metric("d_loss_last", net, to_the_end=True, text="D(G(z)) {0[D_Gz_last]:.3f}"),
    "C08d": lambda net: counted(lambda m: m["classes"] >= 9, net, seen=values.few_classes),
    "C10a": lambda net: counted(values.all_classes, net, seen=values.few_classes),
    "C10b": lambda net: counted(values.few_classes, net, seen=values.few_classes),
    "C16b": lambda net: gap("frechet", VAE, net),
    "C42": lambda net: raced(net, RIVALS[net]),
}, DCGAN, RADFORD)  # fmt: skip
OF_DCGAN |= {
    f"C11{end}": all_hold({f"{part}{end}": OF_DCGAN[f"{part}{end}"] for part in OUTPERFORMS})
    for end in ("", "_described")
}
OF_DCGAN |= {
    "L02a": metric("d_loss_last", DCGAN, to_the_end=True),
    "L02b": metric("g_loss_last", DCGAN, to_the_end=True),
}

OF_FACES = {
    "C12a": metric("edge_ratio", FACES),
    "C12b": metric("precision", FACES),
    "C12c": rule(
        lambda m: m["frechet"] / m["frechet_halves"], FACES, text="{0[frechet]:.2f} over {0[frechet_halves]:.2f}"
    ),
    "C13a": metric("pairwise_ratio", FACES, text="recall {0[recall]:.2f}"),
    "C13b": metric("duplicated_pairs", FACES, text="real faces: {0[duplicated_pairs_test]:.0f}"),
    "C14a": gap("frechet", FACES, variant(FACES, "mnist_net")),
    "C14b": gap("frechet", FACES, variant(FACES, "no_batch_norm")),
    "C15a": rule(values.settling("d_loss"), FACES),
    "C15b": rule(values.settling("g_loss"), FACES),
    "C36": gap("frechet", variant(FACES, "flips"), FACES),
    "L03a": metric("d_loss_last", FACES, to_the_end=True),
    "L03b": metric("g_loss_last", FACES, to_the_end=True),
}

OF_VAE = {
    "C17a": rule(
        sharper_by_latents, VAE, variant(VAE, "latent_32"),
        text="edge variance {0[edge_variance]:.4f} and {1[edge_variance]:.4f}, real {0[edge_variance_test]:.4f}",
    ),
    "C17b": gap("edge_variance", variant(VAE, "latent_32"), VAE),
    "C17c": gap("edge_variance", variant(VAE, "latent_10"), VAE),
    "C17d": gap("edge_variance", variant(VAE, "beta_4"), VAE),
    "C18a": metric("test_z_neighbour_accuracy", VAE, text="linear probe {0[test_z_linear_accuracy]:.2f}"),
    "C18b": metric("manifold_step_evenness", VAE),
    "C19a": each_shown(metric("test_loss_nats", VAE, to_the_end=True)),
    "C19b": each_shown(metric("test_reconstruction_nats", VAE, to_the_end=True)),
    "C19c": each_shown(metric("test_kl_nats", VAE, to_the_end=True)),
    "C19d": each_shown(metric("best_test_loss_nats", VAE, to_the_end=True, text="after epoch {0[best_epoch]:.0f}")),
    "C19e": metric("train_loss_nats", VAE, to_the_end=True),
    "C19f": gap("test_loss_nats", VAE_TEXT, VAE, digits=5),
    "C20a": metric("first_test_loss_nats", VAE),
    "C20b": rule(
        lambda m: abs(m["first_test_loss_nats"] - author.test_lines()["test_loss"][0]), VAE_TEXT,
        text="{0[first_test_loss_nats]:.1f} after the first epoch",
    ),
    "L04": metric("first_batch_loss_nats", VAE),
}  # fmt: skip

OF_CVAE_GAN = either({
    "C23a": lambda net: rule(
        values.between_vae_and_real, net, VAE,
        text="{0[edge_variance]:.4f} between {1[edge_variance]:.4f} and {0[edge_variance_test]:.4f}",
    ),
    "C23b": lambda net: gap("frechet", net, VAE),
    "C24a": lambda net: metric("requested_accuracy", net),
    "C24b": lambda net: rule(values.worst_digit, net),
    "C25": lambda net: metric(
        "within_class_variance_ratio", net, arrays=True, text=values.right_digits_shown,
        seen=lost(net, lambda m: m["within_class_variance_ratio"] < 0.3),
    ),
    "C26a": lambda net: metric("walk_both_monotone", net),
    "C26b": lambda net: metric("walk_both_evenness", net),
    "C26c": lambda net: rule(values.reached("z"), net, text=values.reached_shown),
    "C26d": lambda net: rule(values.reached("label"), net, text=values.reached_shown),
    "C27a": lambda net: metric(
        "z_explained", net,
        text="of G's own variance: z {0[z_share]:.2f}, label {0[label_share]:.2f}, both {0[both_share]:.2f}",
        seen=lost(net, lambda m: m["z_explained"] < 0.3),
    ),
    "C27b": lambda net: metric("active_units", net, seen=lost(net, lambda m: m["active_units"] < 1)),
    "C27c": lambda net: metric("test_kl_nats", net, seen=lost(net, values.ignores_z)),
    "C28a": lambda net: gap("edge_variance", net, VAE),
    "C28b": lambda net: gap("label_entropy_nats", net, GAN),
    "C28c": lambda net: gap("recall", net, GAN),
    "C31": lambda net: rule(
        values.over_class_mean, net, text="{0[reconstruction_mse]:.4f} over {0[class_mean_mse]:.4f}",
        seen=lost(net, lambda m: values.over_class_mean(m) >= 0.5),
    ),
}, CVAE, BAO)  # fmt: skip
OF_CVAE_GAN |= {
    "C29a": spread_ratio("frechet", BAO, variant(BAO, "no_features")),
    "C29b": spread_ratio("frechet", BAO, variant(BAO, "no_gd")),
    "C29c": spread_ratio("frechet", BAO, variant(BAO, "no_gc")),
    "C29d": spread_ratio("D_x_f", BAO, variant(BAO, "no_features")),
    "C29e": spread_ratio("D_x_f", BAO, variant(BAO, "no_gd")),
    "C29f": spread_ratio("D_x_f", BAO, variant(BAO, "no_gc")),
    "C30a": gap("frechet", variant(BAO, "pixels_only"), BAO),
    "C30b": gap("frechet", variant(BAO, "no_discriminator"), BAO),
    "C30c": gap("requested_accuracy", BAO, variant(BAO, "no_classifier")),
    "C32a": metric("loss_G_last", CVAE, to_the_end=True),
    "C32b": metric("loss_D_last", CVAE, to_the_end=True),
    "C32c": metric("loss_C_last", CVAE, to_the_end=True),
    "C32d": metric("test_kl_nats", CVAE, to_the_end=True),
    "C33a": metric("D_x_f", CVAE),
    "C33b": metric("D_Gu", CVAE),
    "C34a": rule(first_below, CVAE, text=lambda m: "never so far" if math.isinf(first_below(m)) else "",
                 seen=lambda m: first_below(m) <= 50),
    "C34b": metric("classifier_accuracy", CVAE, seen=lambda m: m["classifier_accuracy"] >= 0.985),
    "C43a": rule(
        lambda a, b: values.edge_distance(a) - values.edge_distance(b), BAO, variant(BAO, "no_discriminator"),
        text="{0[edge_variance]:.4f} against {1[edge_variance]:.4f}, real {0[edge_variance_test]:.4f}",
    ),
    "C43b": gap("frechet", BAO, variant(BAO, "no_discriminator")),
    "L05": metric("first_loss_G", CVAE, early=True),
}  # fmt: skip

PARAMETERS = {
    "P01a": parameters(GAN, 267_009, "_discriminator"),
    "P01b": parameters(GAN, 283_920, "_generator"),
    "P02a": parameters(DCGAN, 3_232_129, "_discriminator"),
    "P02b": parameters(DCGAN, 336_323, "_generator"),
    "P03a": parameters(FACES, 2_765_568, "_discriminator"),
    "P03b": parameters(FACES, 3_576_704, "_generator"),
    "P04": parameters(VAE, 404_244, ""),
    "P05a": parameters(CVAE, 510_521, "_E", "_G"),
    "P05b": parameters(CVAE, 3_232_129, "_D"),
    "P05c": parameters(CVAE, 3_241_354, "_C"),
}

MEASURES = OF_GAN | OF_DCGAN | OF_FACES | OF_VAE | OF_CVAE_GAN | PARAMETERS
NOT_RUN = {"C30d": "no run starts a GAN from the decoder of a VAE, neither in the report nor here"}
