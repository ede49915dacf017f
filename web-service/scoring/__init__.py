"""From a record to a served prediction: record -> features -> model -> answer."""

__version__ = "1.0.0"
