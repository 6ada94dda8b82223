"""The one value that every source of pixels returns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from common.errors import UserError


@dataclass(frozen=True, eq=False)
class Images:
    """A data set in memory. Arrays are read-only, so that the fingerprint stays true.

    train, test: uint8 [N, H, W, C], [M, H, W, C]; pixels 0..255 for every set (a binary set holds 0 and 255).
    train_labels, test_labels: int32 [N], [M], or None where the set has none.
    train_factors, test_factors: int32 [N, F], [M, F] indices of the known generative factors, or None.
    factor_names: the F names. source: one sentence on where the pixels come from.
    stand_in: "" for the exact original; else one sentence why this is not the set that the name promises.
    A set may lack training images, but no test images. Raises UserError for arrays that are not as said here.
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    train_factors: np.ndarray | None = None
    test_factors: np.ndarray | None = None
    factor_names: tuple[str, ...] = ()
    source: str = ""
    stand_in: str = ""

    def __post_init__(self):
        for split in ("train", "test"):
            pixels = getattr(self, split)
            if pixels.dtype != np.uint8 or pixels.ndim != 4:
                self._refuse(f"{split} must be uint8 [N, H, W, C], not {pixels.dtype} {pixels.shape}")
            for field, *columns in ((f"{split}_labels",), (f"{split}_factors", len(self.factor_names))):
                array = getattr(self, field)
                if array is not None:
                    if array.shape != (len(pixels), *columns):
                        self._refuse(f"{field} {array.shape} where {(len(pixels), *columns)} are needed")
                    if not _are_indices(array):
                        self._refuse(f"{field} must be whole numbers from 0 on")
                    object.__setattr__(self, field, array.astype(np.int32, copy=False))
        if not len(self.test):
            self._refuse("there is no test image")
        if self.train.shape[1:] != self.test.shape[1:]:
            self._refuse(f"train images are {self.train.shape[1:]}, test images {self.test.shape[1:]}")
        for array in self._arrays():
            array.setflags(write=False)

    def _refuse(self, why: str):
        raise UserError(f"the arrays of data set '{self.name}' do not fit: {why}; correct them or get the set again")

    def _arrays(self) -> list[np.ndarray]:
        fields = ("train", "test", "train_labels", "test_labels", "train_factors", "test_factors")
        return [a for a in (getattr(self, field) for field in fields) if a is not None]

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of the sha256 of shapes, pixels, labels and factors, in order."""
        digest = hashlib.sha256()
        for array in self._arrays():
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()[:16]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return tuple(self.train.shape[1:])

    def without_class(self, label: int) -> Images:
        """Hold one class out: remove it from the training images only. Raises UserError if no image has it."""
        if self.train_labels is None:
            raise UserError(f"data set '{self.name}' has no labels, so no class of it can be held out")
        keep = self.train_labels != label
        if keep.all():
            known = ", ".join(str(c) for c in np.unique(self.train_labels))
            raise UserError(f"data set '{self.name}' has no class {label} to hold out; its classes are {known}")
        factors = None if self.train_factors is None else self.train_factors[keep]
        return replace(self, train=self.train[keep], train_labels=self.train_labels[keep], train_factors=factors)


def _are_indices(array: np.ndarray) -> bool:
    """Whether all numbers are whole and from 0 to what int32 holds; NaN is not."""
    return array.dtype.kind in "iuf" and bool(np.all((array >= 0) & (array < 2**31) & (array == np.floor(array))))
