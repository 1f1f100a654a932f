"""When attention says nothing."""

# Attention whose standard deviation within a video is no larger a share of its mean tells no snippet from another.
FLAT = 0.01


def flat(mean: float, spread: float) -> bool:
    """Of one video's attention, or on average over videos; attention of 0 is flat too."""
    return spread <= FLAT * mean
