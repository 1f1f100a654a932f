"""Types of a detection, in the order in which scoring/error_analysis.py tests them."""

ERROR_TYPES = ("true", "double", "wrong label", "localization", "confusion", "background")
