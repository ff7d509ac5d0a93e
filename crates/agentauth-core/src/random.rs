//! Where unpredictable bytes come from.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom as AwsRandom};

/// The random source could not deliver. Nothing that needs an identifier is issued or decided without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the random source is unavailable: no identifier can be made, so nothing is issued or decided")]
pub struct RandomUnavailable;

/// A source of unpredictable bytes, handed in so that tests are repeatable.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`RandomUnavailable`] if the source cannot deliver; `bytes` is then not to be used.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable>;
}

/// The operating system's generator, by way of aws-lc.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        AwsRandom::new().fill(bytes).map_err(|_| RandomUnavailable)
    }
}

/// 128 random bits as 32 lower-case hexadecimal digits: enough that two never meet.
pub(crate) fn unique_id(random: &dyn Random) -> Result<Arc<str>, RandomUnavailable> {
    let mut bytes = [0u8; 16];
    random.fill(&mut bytes)?;
    std::str::from_utf8(bytes.map(digits).as_flattened()).map(Into::into).map_err(|_| RandomUnavailable)
}

pub(crate) fn hex(bytes: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    text.extend(bytes.iter().flat_map(|byte| digits(*byte)).map(char::from));
    text.into()
}

fn digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|nibble| if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_writes_two_digits_a_byte() {
        assert_eq!(&*hex(&[0x00, 0x1f, 0xa9, 0xff]), "001fa9ff");
    }

    #[test]
    fn an_id_is_all_of_the_bytes() {
        #[derive(Debug)]
        struct Counting;
        impl Random for Counting {
            fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
                bytes.iter_mut().zip(0xf0..=0xff).for_each(|(byte, next)| *byte = next);
                Ok(())
            }
        }
        assert_eq!(unique_id(&Counting).as_deref(), Ok("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"));
    }
}
