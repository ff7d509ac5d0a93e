//! The trial: agents, a token service, a court, a records office and an archive, on loopback, with real keys, TLS and
//! tokens.
//!
//! Alice lets her lawyer act for her. The lawyer files a motion; the lawyer's clerk fetches a record with a narrower
//! delegation, and has a robot read a few pages in the archive with one that is narrower still: once through the token
//! service, and once by tokens that their holders have narrowed themselves. Then everything that must fail is tried. Each answer is compared with the reason it must have; the
//! reasons are read from the record, where the servers wrote them before they answered. In the end the record itself is
//! put to the proof.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that shows something prints it")]

mod agent;
mod forgery;
mod proof;
mod register;
mod report;
mod servers;
mod trial;
mod world;

use std::process::ExitCode;

use world::World;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("courtroom: the trial could not be held: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<usize, Error> {
    let world = World::open().await?;
    println!("The court sits at {}, the records office at {},", world.court, world.records);
    println!("the archive at {}.", world.archive);
    let (acts, chains) = trial::hold(&world).await?;
    report::acts(&acts);
    for chain in &chains {
        report::chain(chain)?;
    }
    report::record(&world.record_of_the_day()?);
    world.close_record()?;
    let uncaught = proof::hold(&world)?;
    world.close()?;
    Ok(report::verdict(&acts) + uncaught)
}
