//! What is read: tokens and files, never more than they can be long.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use agentauth_core::jose::MAX_TOKEN_BYTES;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;

use crate::{CliError, Terminal};

const STANDARD_INPUT: &str = "standard input";

/// Room for `Bearer ` and white space around the longest token.
const MAX_TOKEN_INPUT_BYTES: usize = MAX_TOKEN_BYTES + 64;

/// Where the token is.
#[derive(Debug, Args)]
pub(crate) struct TokenSource {
    /// The file that holds the token, or `-` for standard input, which is also read if there is none.
    ///
    /// The token itself never stands on the command line.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// A token as it was given. Has no `Debug`: tokens are not shown.
pub(crate) struct Token {
    pub(crate) text: String,
    /// What was left out around it.
    pub(crate) remarks: Vec<&'static str>,
}

impl TokenSource {
    pub(crate) fn read(&self, terminal: &mut Terminal<'_>) -> Result<Token, CliError> {
        let (place, bytes) = match &self.file {
            Some(file) if file != Path::new("-") => {
                let place = quoted(file);
                let bytes = File::open(file).and_then(|file| read_bounded(file, MAX_TOKEN_INPUT_BYTES));
                (place, bytes)
            }
            _ => (STANDARD_INPUT.to_owned(), read_bounded(terminal.input(), MAX_TOKEN_INPUT_BYTES)),
        };
        let bytes = bytes.map_err(|source| CliError::Unreadable { place: place.clone(), source })?;
        let cut = bytes.len() > MAX_TOKEN_INPUT_BYTES;
        let Ok(text) = String::from_utf8(bytes) else { return Err(CliError::NotText(place)) };
        // More was there than was read: nothing is left out of it, so that it is refused for its length.
        if cut {
            return Ok(Token { text, remarks: Vec::new() });
        }
        Token::of(&text).ok_or(CliError::NoToken(place))
    }
}

impl Token {
    fn of(text: &str) -> Option<Self> {
        let mut remarks = Vec::new();
        // Every editor and every `echo` ends a line: that is no remark.
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut token = line.trim();
        if let Some((scheme, rest)) = token.split_once(char::is_whitespace)
            && scheme.eq_ignore_ascii_case("Bearer")
        {
            remarks.push("`Bearer` before the token was left out: it belongs to the header, not to the token");
            token = rest.trim_start();
        }
        if token.len() < line.len() && remarks.is_empty() {
            remarks.push("white space around the token was left out: a server would refuse it");
        }
        (!token.is_empty() && !token.eq_ignore_ascii_case("Bearer")).then(|| Self { text: token.to_owned(), remarks })
    }
}

/// Whether `argument` holds a token: base64url of the beginning of a JSON object, and a dot.
pub(crate) fn has_token(argument: &str) -> bool {
    argument.split([' ', '=']).filter_map(|word| word.split_once('.')).any(|(header, _)| {
        let decoded = URL_SAFE_NO_PAD.decode(header).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.is_some_and(|text| text.trim_start().starts_with('{') && text.contains('"'))
    })
}

/// Reads `file`, of at most `limit` bytes.
pub(crate) fn read_file(file: &Path, limit: usize) -> Result<Vec<u8>, CliError> {
    let bytes = File::open(file).and_then(|file| read_bounded(file, limit));
    let bytes = bytes.map_err(|source| CliError::Unreadable { place: quoted(file), source })?;
    if bytes.len() > limit {
        return Err(CliError::Oversize { place: quoted(file), limit });
    }
    Ok(bytes)
}

/// Reads standard input, of at most `limit` bytes, and says that it was that.
pub(crate) fn read_input(terminal: &mut Terminal<'_>, limit: usize) -> Result<(String, Vec<u8>), CliError> {
    let place = || STANDARD_INPUT.to_owned();
    let bytes = read_bounded(terminal.input(), limit);
    let bytes = bytes.map_err(|source| CliError::Unreadable { place: place(), source })?;
    if bytes.len() > limit { Err(CliError::Oversize { place: place(), limit }) } else { Ok((place(), bytes)) }
}

pub(crate) fn quoted(path: &Path) -> String {
    format!("`{}`", path.display())
}

/// At most `limit` bytes and one more, by which the reader knows that there are too many.
fn read_bounded(reader: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste_around_a_token_is_left_out_with_a_remark() {
        for (text, token, remarks) in [
            ("e30.e30.AA", "e30.e30.AA", 0),
            ("e30.e30.AA\r\n", "e30.e30.AA", 0),
            ("e30.e30.AA\n\n", "e30.e30.AA", 1),
            (" e30.e30.AA", "e30.e30.AA", 1),
            ("Bearer e30.e30.AA\n", "e30.e30.AA", 1),
            ("bearer\te30.e30.AA ", "e30.e30.AA", 1),
            ("e30.e30 .AA\n", "e30.e30 .AA", 0),
        ] {
            let read = Token::of(text).unwrap();
            assert_eq!((read.text.as_str(), read.remarks.len()), (token, remarks), "{text:?}");
        }
        assert!(Token::of(" \n").is_none() && Token::of("Bearer \n").is_none());
    }

    #[test]
    fn a_token_among_the_arguments_is_noticed() {
        for argument in
            ["eyJhbGciOiJub25lIn0.e30.", "--token=eyJhbGciOiJub25lIn0.e30.AA", "Bearer ewogImEiOiAxCn0.e30.AA"]
        {
            assert!(has_token(argument), "{argument}");
        }
        for argument in [
            "token.txt",
            "eyes.txt",
            "./eyJhbGciOiJub25lIn0.txt",
            "--issuer=https://sts.example",
            "eyJhbGciOiJub25lIn0",
        ] {
            assert!(!has_token(argument), "{argument}");
        }
    }
}
