//! Partners and receivers of webhooks that stall, drip or answer with rubbish: what is not for them goes on. How much it
//! slows down is measured by `./dev check fairness`; here nothing is timed.

use std::path::Path;

use conformance::fairness::{Size, run};

#[tokio::test]
async fn healthy_partners_get_theirs_while_others_are_a_burden() {
    let size = Size { burden: 6, rounds: 3, at_once: 40 };
    let figures = run(Path::new(env!("CARGO_BIN_EXE_amtsbote")), size).await.unwrap();
    assert_eq!(figures.delivered, 4 * 3, "{figures:?}");
    assert_eq!((figures.burden, figures.burden_delivered), (18, 0), "{figures:?}");
    assert!(figures.burden_offered >= 3, "each of them was tried: {figures:?}");
    assert_eq!(figures.hooks, 18, "{figures:?}");
    assert_eq!(figures.accepted, 40, "{figures:?}");
}
