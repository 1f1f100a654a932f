"""Ranges of tIoU, as tables of the field average over them."""


def averaged(text: str, tiou: tuple[float, ...]) -> tuple[float, ...]:
    """The thresholds inside a LOW:HIGH range whose ends are thresholds themselves; else none."""
    try:
        low, high = (float(end) for end in text.split(":"))
    except ValueError:
        return ()
    return tuple(t for t in tiou if low <= t <= high) if {low, high} <= set(tiou) else ()
