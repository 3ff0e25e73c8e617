//! Every rule that a finding can have is explained.
use std::path::Path;

#[test]
fn every_number_in_the_rules_has_a_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(folder.join("src/rules.rs")).unwrap();
    let (_, table) = source.split_once("fn explanation").unwrap();
    let (table, _) = table.split_once("\n}").unwrap();
    let arms = table.lines().filter_map(|line| line.split_once("=> \"")).map(|(numbers, _)| numbers);
    let mut seen = 0;
    for number in arms.flat_map(|numbers| numbers.split('|')) {
        let (from, to) = number.trim().split_once("..=").unwrap_or((number.trim(), number.trim()));
        for number in from.parse::<u32>().unwrap()..=to.parse().unwrap() {
            let page = folder.join(format!("../docs/errors/xsd.{number}.md"));
            assert!(page.exists(), "{}", page.display());
            seen += 1;
        }
    }
    assert!(seen > 30);
}
