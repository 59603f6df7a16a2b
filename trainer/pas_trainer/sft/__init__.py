"""Fine-tuning: pairs of prompt and complement become a checkpoint that `pas export` takes."""
