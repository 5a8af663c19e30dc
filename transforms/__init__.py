"""Pure polars at call grain or finer: frame in, frame out; no files, no clock, no environment."""
