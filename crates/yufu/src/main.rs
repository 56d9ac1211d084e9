//! The binary: `yufu`, `yufu serve`, `yufu client create` …

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    yufu::cli::run()
}
