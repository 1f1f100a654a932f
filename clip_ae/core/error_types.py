"""What a detection can be, in the order in which it is asked; scoring/errors.py says how."""

ERROR_TYPES = ("true", "double", "wrong label", "localization", "confusion", "background")
