"""The seam between policy and models: the protocol, and the implementations behind it."""
