"""The control plane: what operators see over HTTP. Never on the way of a frame."""
