//! Placeholder until the next step.
use clap::Args;

/// Options.
#[derive(Args)]
pub struct BenchOptions {}

/// Runs.
///
/// # Errors
/// None.
pub async fn run(_options: BenchOptions) -> Result<(), String> {
    Ok(())
}
