"""What goes wrong below the pipeline; `pipelines.errors` has its own tree, which may catch it."""

from __future__ import annotations


class WeightsError(Exception):
    """Model weights that are missing, altered, unsafe, or not what their description says."""


class TaxonomyError(Exception):
    """A topic file that cannot be read or lacks something that the models need."""
