"""Export of a fine-tuned causal LM as a model directory that runs without torch."""
