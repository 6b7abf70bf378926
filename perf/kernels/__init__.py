"""Kernels: each operation and each format in one thread, beside libvips and Pillow doing the same work."""
