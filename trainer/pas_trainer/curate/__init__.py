"""Curation: from raw conversations to a balanced, deduplicated, quality-filtered, categorised set of prompts."""
