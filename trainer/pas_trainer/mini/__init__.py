"""pas-mini: build, calibrate and report the embedded model."""
