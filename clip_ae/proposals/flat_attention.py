"""A test for attention that does not distinguish snippets."""

# Attention is flat if its standard deviation within a video is at most this share of its mean.
MAX_FLAT_RATIO = 0.01


def is_flat(mean: float, std: float) -> bool:
    """Whether attention with this mean and standard deviation is flat: of one video, or averages over videos.

    Attention that is 0 everywhere is flat too.
    """
    return std <= MAX_FLAT_RATIO * mean
