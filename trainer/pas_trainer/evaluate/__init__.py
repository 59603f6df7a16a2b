"""Whether PAS helps an LLM: answers of several arms, one judge, and the scores of the paper's benchmarks."""
