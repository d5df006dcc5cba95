//! Benchmarks of fullduplex.
