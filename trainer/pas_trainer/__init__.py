"""Train, curate and evaluate PAS models."""
