"""A linear head: fitted by logistic regression, packed to a byte a weight, unpacked to score.

Weights are packed with a square-root scale, which keeps small ones apart: q = 127·√(|w|/m) with
the sign of w and m the largest of the column. Rows whose weights are all 0 are left out. The
loss in macro-F1 is under 0.001 (measured: 0.671 to 0.670 on a fifth of the French texts).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """Weights `(features, outputs)` float32 and biases `(outputs,)`."""

    weights: Floats
    bias: Floats

    def logits(self, features: csr_matrix) -> Floats:
        """`(n, outputs)` float32."""
        return np.asarray(features @ self.weights, np.float32) + self.bias


def fit(
    features: csr_matrix,
    classes: NDArray[Any],
    *,
    row_weights: NDArray[Any],
    strength: float,
    class_count: int = 2,
) -> Head:
    """Logistic regression by L-BFGS: one output for two classes, `class_count` for more.

    `strength` is the inverse of the penalty (C of scikit-learn). The same rows in the same order
    give the same head. A class without rows has weight 0 and bias -20.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=100, tol=2e-3)
    model.fit(features, classes, sample_weight=row_weights)
    if class_count == 2:
        return Head(model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32))
    head = Head(
        np.zeros((features.shape[1], class_count), np.float32),
        np.full(class_count, -20.0, np.float32),
    )
    slopes, bias = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # then scikit-learn gives the difference of the two alone
        slopes, bias = np.hstack([-slopes / 2, slopes / 2]), np.append(-bias / 2, bias / 2)
    head.weights[:, model.classes_] = slopes
    head.bias[model.classes_] = bias
    return head


def packed(head: Head, *, name: str, keep: int | None = None) -> dict[str, NDArray[Any]]:
    """A head as small arrays named `<name>.…`, with at most `keep` rows (the largest)."""
    top = np.maximum(np.abs(head.weights).max(axis=0), 1e-12)
    size = np.sqrt(np.abs(head.weights) / top)
    bytes_ = (np.sign(head.weights) * np.rint(127.0 * size)).astype(np.int8)
    strength = np.abs(bytes_.astype(np.int32)).max(axis=1)
    if keep is not None and np.count_nonzero(strength) > keep:
        strength[np.argsort(-strength, kind="stable")[keep:]] = 0
    is_kept = strength > 0
    return {
        f"{name}.bytes": bytes_[is_kept],
        f"{name}.kept": np.packbits(is_kept),
        f"{name}.top": top.astype(np.float32),
        f"{name}.bias": head.bias,
    }


def unpacked(tensors: dict[str, NDArray[Any]], *, name: str) -> Head:
    """The head that `packed` stored under `name`."""
    is_kept = np.unpackbits(tensors[f"{name}.kept"]).astype(bool)
    stored = tensors[f"{name}.bytes"].astype(np.float32)
    weights = np.zeros((len(is_kept), stored.shape[1]), np.float32)
    stored /= 127.0
    stored *= np.abs(stored)  # the square with its sign
    stored *= tensors[f"{name}.top"]
    weights[is_kept] = stored
    return Head(weights, tensors[f"{name}.bias"])
