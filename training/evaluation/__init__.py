"""How good a model is: metrics, plots, and the comparison with the version that serves."""
