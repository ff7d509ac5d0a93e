//! The example of a human's approval, as it runs.

use std::process::Command;

#[test]
fn a_human_approves_one_refund_and_it_is_paid_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_approval")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let shown = "spiffe://shop.example/agent/desk wants, for alice (at https://sts.shop.example): \
                 refunds:pay on order `17` with {\"amount\":800}";
    assert!(printed.lines().any(|line| line.trim() == shown), "{printed}");
    assert!(printed.contains("403 approval_required") && printed.contains("403 approval_used"), "{printed}");
    assert_eq!(printed.lines().last(), Some("approval: 0 surprises"));
}
