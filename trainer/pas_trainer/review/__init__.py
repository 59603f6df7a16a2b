"""People's judgement of answers: a local page on which reviewers grade or compare them blind, and what it comes to."""
