"""Pictures made to do harm, format by format, each with the answer it must get."""
