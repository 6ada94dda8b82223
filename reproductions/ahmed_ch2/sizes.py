"""Sizes of the nets of Table 2.1 and lengths of their trainings: what is trained, and for what a level is compared."""

ROWS = {  # README.md says where each size comes from
    "conv_vae": {"latent": 64, "width": 32},
    "pixelvae": {"latent": 64, "layers": 12, "width": 32, "filter_size": 5},
    "gated_pixelcnn": {"layers": 12, "width": 32, "filter_size": 5},
    "gated_pixelvae_up": {"latent": 64, "layers": 21, "width": 64, "filter_size": 5},
    "gated_pixelvae": {"latent": 16, "layers": 12, "width": 16, "filter_size": 5},
}
FULL = 200_000  # iterations of the released code
WARM_UP = 10_000  # and of its KL warm-up
LONG = 16_000  # iterations of the rows at cpu scale, whose learning rate ends at 0; from here on a level is compared
WARMED = "warm_up_5000"  # the variant of those rows with a longer warm-up
RATE = 1e-3  # learning rate of the released code
TUNED_RATE = 3e-3  # and of trainings by the tuned recipe (`runs.tuned`)
UPSAMPLED = ("pixelvae", "gated_pixelvae_up")  # rows with features of z beside the image, which that rate kills
LENGTHS = (4_000, 8_000, LONG, 40_000)  # their lengths, to see how a row falls with its training
TUNED = f"tuned_{LONG}"  # the variant of that recipe at the length of the rows, in all scripts


def killed(variant, model, layers=1) -> bool:
    """Whether a training by the tuned recipe dies: features of z beside the image of a masked decoder."""
    return variant.startswith("tuned_") and model in UPSAMPLED and layers > 0
