"""Stage workers: what is done to pixels. Knows neither producers, nor the supervisor, nor HTTP."""
