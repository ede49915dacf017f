"""How fast the service is, next to what people would otherwise run: `make bench`."""
