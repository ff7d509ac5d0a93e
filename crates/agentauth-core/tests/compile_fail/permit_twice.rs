//! A permit is for one run.

use agentauth_core::Permit;

pub async fn file(permit: Permit<String>) {
    let first = permit.run(async |motion| Ok::<_, std::io::Error>(motion)).await;
    let second = permit.run(async |motion| Ok::<_, std::io::Error>(motion)).await;
    drop((first, second));
}
