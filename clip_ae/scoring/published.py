"""Tables 1 to 3 of the CLIP-AE paper (Xia et al. 2025), in percent as printed; `-` is a blank cell.

Methods have the titles of the paper, with the star of some. PUBLISHED_NOTES list oddities of the print; the result
tables repeat them. Columns have the names of map.json.
"""

from dataclasses import dataclass

from clip_ae.core.config.methods import Supervision

THUMOS14_COLUMNS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.1:0.5", "0.3:0.7", "0.1:0.7")
ACTIVITYNET12_COLUMNS = ("0.5", "0.75", "0.95", "0.5:0.95")
# Methods in the order of the paper's rows, for both supervision blocks.
METHOD_ORDER = (
    "STPN", "WSAL-BM", "TSCN", "TCAM", "UGCT", "APSL", "after APSL", "CASE", "Wang et al.", "ISSF", "PMIL", "CLIP-AE",
)  # fmt: skip


@dataclass(frozen=True)
class PublishedRow:
    """A row of a published table: metrics in percent by column, None for a blank cell."""

    supervision: Supervision
    method: str
    metrics: dict[str, float | None]

    @property
    def title(self) -> str:
        """Title of the method, without its star."""
        return self.method.rstrip("*")


def _parse_rows(columns: tuple[str, ...], supervision: Supervision, lines: dict[str, str]) -> tuple[PublishedRow, ...]:
    def parse_metrics(line: str) -> dict[str, float | None]:
        values = (None if text == "-" else float(text) for text in line.split())
        return dict(zip(columns, values, strict=True))

    return tuple(PublishedRow(supervision, method, parse_metrics(line)) for method, line in lines.items())


WEAK_THUMOS14 = {
    "TCAM": "-    -    46.9 38.9 30.1 19.8 10.4 -    29.2 -",
    "UGCT": "70.3 65.3 57.9 47.8 35.8 23.3 11.1 55.4 35.2 44.5",
    "APSL": "69.1 62.4 53.7 43.6 33.6 23.8 12.8 52.5 33.5 42.7",
    "CASE": "72.3 -    59.2 -    37.7 -    13.7 56.4 36.9 45.7",
    "Wang et al.": "73.0 68.2 60.0 47.9 37.1 24.4 12.7 57.2 36.4 46.2",
    "ISSF": "72.4 66.9 58.4 49.7 41.8 25.5 12.8 57.8 37.6 46.8",
    "CLIP-AE": "74.5 69.5 60.3 51.4 38.1 26.7 15.4 58.8 38.4 48.0",
}
UNSUPERVISED_THUMOS14 = {
    "STPN*": "50.1 45.8 40.6 32.3 20.9 10.7 4.6  37.9 21.8 29.3",
    "WSAL-BM*": "57.7 52.4 46.4 37.1 26.1 16.0 6.7  43.9 26.5 34.6",
    "TSCN*": "57.1 51.6 43.9 35.3 26.0 15.7 6.0  42.8 25.4 33.7",
    "TCAM": "-    -    39.6 32.9 25.0 16.7 8.9  -    24.6 -",
    "UGCT": "63.4 57.8 51.7 44.0 32.8 21.6 10.1 49.9 32.0 40.2",
    "APSL": "57.7 52.4 44.1 35.9 27.9 18.5 10.0 43.6 27.3 35.2",
    "CLIP-AE": "65.1 60.4 52.7 44.5 33.2 22.3 13.6 51.2 33.3 41.7",
}
WEAK_ACTIVITYNET12 = {
    "TCAM": "40.0 25.0 4.6 24.6",
    "UGCT": "43.1 26.6 6.1 26.9",
    "APSL": "44.3 28.5 6.2 28.2",
    "PMIL": "44.2 26.1 5.3 26.5",
    "CLIP-AE": "50.1 30.3 6.8 30.5",
}
UNSUPERVISED_ACTIVITYNET12 = {
    "STPN": "28.2 16.5 3.7 16.9",
    "WSAL-BM": "28.5 17.6 4.1 17.6",
    "TSCN": "22.3 13.6 2.1 13.6",
    "TCAM": "35.2 21.4 3.1 21.1",
    "UGCT": "37.4 23.8 4.9 22.7",
    "APSL": "43.7 28.1 5.8 27.6",
    "CLIP-AE": "45.3 28.7 6.7 28.9",
}
ABLATION_ACTIVITYNET12 = {
    "none": "37.4 23.8 4.9 22.7",
    "CAF": "41.6 26.5 5.6 25.1",
    "CCP": "43.4 27.8 6.1 26.5",
    "CAF + CCP": "45.3 28.7 6.7 28.9",
}

# Tables 1 and 2, by dataset.
PUBLISHED = {
    "thumos14": (
        *_parse_rows(THUMOS14_COLUMNS, "weak", WEAK_THUMOS14),
        *_parse_rows(THUMOS14_COLUMNS, "unsupervised", UNSUPERVISED_THUMOS14),
    ),
    "activitynet12": (
        *_parse_rows(ACTIVITYNET12_COLUMNS, "weak", WEAK_ACTIVITYNET12),
        *_parse_rows(ACTIVITYNET12_COLUMNS, "unsupervised", UNSUPERVISED_ACTIVITYNET12),
    ),
}
# Table 3, the ablation of the paper, by dataset; it has ActivityNet 1.2 only.
PUBLISHED_ABLATION = {"activitynet12": _parse_rows(ACTIVITYNET12_COLUMNS, "unsupervised", ABLATION_ACTIVITYNET12)}
PUBLISHED_NOTES = {
    "thumos14": (
        "Published rows are Table 1 of the CLIP-AE paper, in percent as printed; `-` is a blank there.",
        "A star marks a method that the authors of UGCT re-implemented for this setting.",
        "Unsupervised WSAL-BM and APSL have the same first two values (57.7, 52.4), possibly a copying error: "
        "do not compare the two there.",
        "The weak APSL row is printed as ARSL.",
        "At tIoU 0.5 weak CLIP-AE (38.1) is below ISSF (41.8); its averages are the highest.",
    ),
    "activitynet12": (
        "Published rows are Table 2 of the CLIP-AE paper, in percent as printed.",
        "Its caption explains stars, which Table 1 has for STPN, WSAL-BM and TSCN, but no star is printed.",
        "TSCN's value at tIoU 0.75 equals its average (13.6).",
    ),
}
SELECTION_NOTE = (
    "Published rows and our rows are selected in different ways: many papers report the checkpoint with the best test "
    "mAP, and some round the ground truth to the snippet grid."
)
