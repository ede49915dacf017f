"""The HTTP side: Flask blueprints and handlers that translate and decide nothing."""
