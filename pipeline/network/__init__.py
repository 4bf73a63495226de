"""Models, training and predictions: the only wing that knows Keras."""
