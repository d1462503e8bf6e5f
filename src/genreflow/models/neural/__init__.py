"""What the three Keras models share: the training loop and its batches."""
