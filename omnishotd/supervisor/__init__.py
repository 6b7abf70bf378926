"""The supervisor: life and death of all other processes. Loads no image, web or configuration library."""
