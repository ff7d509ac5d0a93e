//! Waiting for a signature on a thread that has no runtime.

use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use agentauth_core::jose::Signer;

/// A key service answers within less, and one that does not must not hold the log up for as long as anybody waits by default
/// ([`MAX_WAIT`](crate::MAX_WAIT)): a later checkpoint tries again.
pub(super) const SIGNING_TIME: Duration = Duration::from_secs(1);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Has `signer` sign `message`, or says why it has not.
pub(super) fn signed(signer: &dyn Signer, message: &[u8], within: Duration) -> Result<Vec<u8>, &'static str> {
    // One that panics (because it wants a runtime that is not here, for instance) must not end the log's thread.
    catch_unwind(AssertUnwindSafe(|| wait(signer, message, within))).unwrap_or(Err("it has panicked"))
}

fn wait(signer: &dyn Signer, message: &[u8], within: Duration) -> Result<Vec<u8>, &'static str> {
    let begun = Instant::now();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut signing = signer.signature(message);
    loop {
        match Pin::new(&mut signing).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(signature) => return signature.map_err(|_| "it has refused or failed"),
            Poll::Pending => match within.saturating_sub(begun.elapsed()) {
                Duration::ZERO => return Err("it has not answered in time"),
                left => thread::park_timeout(left),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use agentauth_core::jose::{Algorithm, Signing, SigningKey};

    use super::*;

    /// A key that is elsewhere, whose answer comes from another thread, or never.
    #[derive(Debug)]
    struct Remote {
        key: Arc<SigningKey>,
        answers: bool,
    }

    impl Signer for Remote {
        fn algorithm(&self) -> Algorithm {
            self.key.algorithm()
        }

        fn key_id(&self) -> &str {
            self.key.key_id()
        }

        fn public_jwk(&self) -> &str {
            self.key.public_jwk()
        }

        fn signature(&self, message: &[u8]) -> Signing {
            let (key, message, answers) = (Arc::clone(&self.key), message.to_vec(), self.answers);
            let mut asked = false;
            Signing::later(std::future::poll_fn(move |context| {
                if answers && std::mem::replace(&mut asked, true) {
                    return Pin::new(&mut key.signature(&message)).poll(context);
                }
                if answers {
                    let waker = context.waker().clone();
                    thread::spawn(move || waker.wake());
                }
                Poll::Pending
            }))
        }
    }

    #[test]
    fn an_answer_is_waited_for_and_silence_is_not() {
        let key = Arc::new(SigningKey::generate(Algorithm::EdDsa).unwrap());
        let remote = Remote { key: Arc::clone(&key), answers: true };
        // So long that only the answer ends the wait.
        let within = Duration::from_secs(600);
        assert_eq!(signed(&remote, b"text", within), signed(&*key, b"text", within));
        let silent = Remote { key, answers: false };
        for bound in [Duration::ZERO, Duration::from_millis(1)] {
            assert_eq!(signed(&silent, b"text", bound), Err("it has not answered in time"));
        }
    }
}
