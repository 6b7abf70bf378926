"""Headers of encoded pictures, one format a module: bounded, pure Python, before any decoder sees a byte."""
