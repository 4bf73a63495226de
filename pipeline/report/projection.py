"""Where tiles lie among each other: their pixels projected to two dimensions.

Tiles are uint8 (N, S, S, C); projected points are float64 (N, 2). Both projections are seeded:
same tiles, same points.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_COMPONENTS = 50  # that t-SNE starts from (van der Maaten and Hinton 2008 take 30)
_PERPLEXITY = 30.0
FEWEST = 5  # tiles: below it there is nothing to see


@dataclass(frozen=True)
class Principal:
    """Principal components: `scores` (N, k), and the share of the variance that each explains."""

    scores: Floats
    explained: Floats  # (k,)


def find_principal(tiles: npt.NDArray[np.uint8], seed: int = 0) -> Principal:
    """Return the first principal components of the tiles' pixels, at most _COMPONENTS."""
    from sklearn.decomposition import PCA

    pixels = tiles.reshape(len(tiles), -1).astype(np.float32) / 255
    count = min(_COMPONENTS, *pixels.shape)
    if not pixels.std(axis=0).any():  # all tiles are alike
        return Principal(np.zeros((len(tiles), count)), np.zeros(count))
    model = PCA(count, svd_solver="randomized", random_state=seed)
    scores = model.fit_transform(pixels)
    return Principal(scores.astype(np.float64), model.explained_variance_ratio_.astype(np.float64))


def embed_neighbours(scores: Floats, seed: int = 0) -> Floats:
    """Return the t-SNE of principal components (N, k): near ones stay near, distances mean little.

    The perplexity is _PERPLEXITY, less where there are few points.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if not scores.any():
        return np.zeros((len(scores), 2))
    perplexity = min(_PERPLEXITY, (len(scores) - 1) / 3)
    model = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    # With several threads the points depend on how many there are, and where processors are busy
    # it takes a hundred times as long.
    with threadpool_limits(1):
        return np.asarray(model.fit_transform(scores.astype(np.float32)), np.float64)
