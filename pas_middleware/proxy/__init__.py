"""A proxy in front of any OpenAI-compatible or Anthropic API that augments prompts on their way; extra `proxy`."""
