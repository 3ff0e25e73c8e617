//! Partners and receivers of webhooks that stall, drip or answer with rubbish: what is not for them goes on. How much it
//! slows down is measured by `./dev check fairness`; here nothing is timed.

use std::path::Path;

use conformance::fairness::{Size, run, xta};

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

#[tokio::test]
async fn callers_and_servers_of_xta_that_stall_are_cut_off_and_leave_nothing_while_others_go_on() {
    let size = xta::Size { connections: 2, waiting: 2, rounds: 3, patience: 2, until_cut: true };
    let figures = xta::run(Path::new(env!("CARGO_BIN_EXE_amtsbote")), size).await.unwrap();
    assert_eq!(figures.xta_delivered, 2 * (5 + 1) * 3, "{figures:?}");
    assert!(figures.xta_callers == 12 && figures.xta_cut.iter().all(|cut| *cut >= 2), "{figures:?}");
    assert_eq!((figures.xta_strange, figures.xta_turned_away), (0, 0), "{figures:?}");
    assert_eq!(
        (figures.xta_burden, figures.xta_burden_delivered, figures.xta_left),
        (6, 0, 0),
        "{figures:?}"
    );
}
