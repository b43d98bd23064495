//! The crate `test`, by its own name.
//!
//! What rustc makes of `#[test]` names that crate by an `extern crate` inside the module of the test, so its functions are
//! printed as if they were this crate's: `a::tests::test::assert_test_result`. Only a unit that was compiled as its own
//! test has them. Called where facts are made.

use crate::mir::ir::{Body, Callee, Terminator};

/// What the harness calls.
const CALLED: [&str; 2] = ["test::assert_test_result", "test::test_main_static"];

/// Calls of the harness become calls of its crate.
pub fn show_crate(body: &mut Body) {
    for block in &mut body.blocks {
        if let Terminator::Call(call) = &mut block.terminator
            && let Callee::Path { path, .. } = &mut call.callee
            && let Some(own) = CALLED
                .iter()
                .find(|own| path.strip_suffix(**own).is_some_and(|module| module.ends_with("::")))
        {
            (*own).clone_into(path);
        }
    }
}
