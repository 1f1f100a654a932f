"""The choice of the curves that segments are cut from: which curve, and how smooth."""

from dataclasses import dataclass

from clip_ae.core.config.training import CurveName, Localization

# Attention is narrow if its effective share of the snippets is below this part of the class activation's.
MAX_NARROW_RATIO = 0.5


@dataclass(frozen=True)
class CurveStatistics:
    """Of the training videos' curves, stored with the model; means over the videos.

    Effective share of a curve c over T snippets: (sum c)^2 / (T sum c^2). It is n / T if c is equal on n snippets and
    0 elsewhere. smoothing_snippets: the width that suits the errors of the class activations (smoothing_width.py).
    """

    attention_share: float
    activation_share: float
    smoothing_snippets: int


# Of curves that need no choice: probabilities of classes and background.
PROBABILITY_CURVES = CurveStatistics(attention_share=1.0, activation_share=1.0, smoothing_snippets=1)


@dataclass(frozen=True)
class CurveChoice:
    """The curve of a class, and the width of the moving mean in seconds."""

    curve: CurveName
    smoothing_s: float

    @property
    def other(self) -> "CurveChoice":
        """The same with the other curve."""
        return CurveChoice("activation" if self.curve == "weighted" else "weighted", self.smoothing_s)


def choose_curve(settings: Localization, statistics: CurveStatistics, stride_s: float) -> CurveChoice:
    """The settings, with each `auto` replaced by a rule that reads the training videos' curves and no annotations.

    Attention of some methods is a peak: it shows where an action is, but not how long. Segments cut from attention
    times activation are then much too short, and activation alone is better.
    """
    is_narrow = statistics.attention_share < MAX_NARROW_RATIO * statistics.activation_share
    automatic: CurveName = "activation" if is_narrow else "weighted"
    measured = stride_s * statistics.smoothing_snippets if statistics.smoothing_snippets > 1 else 0.0
    width = measured if settings.smoothing_s == "auto" else settings.smoothing_s
    return CurveChoice(automatic if settings.curve == "auto" else settings.curve, width)
