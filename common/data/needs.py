"""What an experiment asks of a data set before its training: nothing, or one clear line on what is missing."""

from common.data.images import Images
from common.errors import UserError


def require_grey(images: Images, side: int) -> None:
    """Raises UserError unless the images are grey and of this side."""
    if images.shape != (side, side, 1):
        height, width, channels = images.shape
        raise UserError(
            f"'{images.name}' has images of {height}x{width}x{channels}; this experiment takes grey {side}x{side} "
            f"ones: mnist, digits or folder:PATH@{side} of grey images"
        )


def require_labels(images: Images, who: str) -> None:
    """Raises UserError unless training and test images have labels; `who` needs them ("the judge of samples")."""
    if images.train_labels is None or images.test_labels is None:
        raise UserError(
            f"'{images.name}' has no labels, which {who} needs; take mnist or digits, or put each class of your "
            "images into a folder of its own"
        )
