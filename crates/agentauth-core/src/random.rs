//! Where unpredictable bytes come from.

use std::fmt;

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
pub(crate) fn unique_id(random: &dyn Random) -> Result<Box<str>, RandomUnavailable> {
    let mut bytes = [0u8; 16];
    random.fill(&mut bytes)?;
    Ok(hex(&bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> Box<str> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_writes_two_digits_a_byte() {
        assert_eq!(&*hex(&[0x00, 0x1f, 0xff]), "001fff");
    }
}
