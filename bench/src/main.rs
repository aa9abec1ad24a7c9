//! Side-by-side benchmarks: each binary in `src/bin` measures one room against its named peer in the same run.

fn main() {}
