use std::path::PathBuf;

use agentauth_audit::checkpoint::CheckpointKey;
use agentauth_core::SystemRandom;

use crate::input::quoted;
use crate::keys::generate::write_new;
use crate::{CliError, Exit, Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct KeygenArgs {
    /// The name of the log, such as example.com/tool-server: without a scheme, plus signs and spaces.
    origin: String,

    /// The file for the private key. It must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(args: &KeygenArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let key = CheckpointKey::generate(&args.origin, &SystemRandom).map_err(CliError::CheckpointKey)?;
    let text = key.to_text().ok_or(CliError::Generate)?;
    write_new(&args.out, format!("{text}\n").as_bytes())?;
    terminal.write(format!("{}\n", key.verifier_key()).as_bytes())?;
    terminal.remark(&format!("the private key is in {}; nobody else may read it", quoted(&args.out)));
    Ok(Exit::Good)
}
