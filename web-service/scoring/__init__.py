"""From a record to a served prediction: record -> features -> model -> answer."""

__version__ = "1.1.0"
