//! `agentauth xfcc`: whom does a server see behind its proxy, and why not?

mod element;
pub(crate) mod parse;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read an x-forwarded-client-cert header as a server would, and tell what each element is worth.
    ///
    /// Reads the value of the header, as it reached the server; with its name before it or without. Several
    /// lines are several headers. What is in it counts only if it came from the proxy: that cannot be seen here.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  agentauth xfcc parse header.txt --mode sanitize-set
  agentauth xfcc parse header.txt --mode append-forward --by spiffe://cluster.local/ns/tools/sa/tool-server
  agentauth xfcc parse header.txt --mode sanitize-set --bundle cluster.local=root-cert.pem
                                                   and is the certificate in it good?

Status: 0 if a server would know the client, 1 if not, 2 if there is no header to look at."
    )]
    Parse(parse::ParseArgs),
}
