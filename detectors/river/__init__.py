"""River's own detectors as kinds, and models as River objects."""
