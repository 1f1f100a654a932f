"""WebVTT chapters: times and labels."""

from clip_ae.core.types import Detection
from clip_ae.pages.web_vtt import format_web_vtt


def make_detection(score, start, stop, label="cluster-00"):
    return Detection("v", label, score, start, stop)


def test_a_cue_has_times_and_an_escaped_label():
    text = format_web_vtt([make_detection(0.876, 1.5, 3661.0004, "<b>a --> b\n& c")])
    assert text == "WEBVTT\n\n00:00:01.500 --> 01:01:01.000\n&lt;b&gt;a --&gt; b &amp; c 0.88\n"


def test_rounding_never_makes_sixty_seconds():
    assert "00:01:00.000 --> " in format_web_vtt([make_detection(1, 59.9996, 61)])
