//! Every official schema at hand compiles, or fails as its index says.
use crate::shared;
use schemas::Schemas;

#[test]
fn every_official_schema_compiles_except_those_known_to_lack_a_file() {
    let Some(packs) = shared("packs") else { return };
    let defects = Schemas::new().inspect_pack(&packs).unwrap();
    let found: Vec<String> = defects.iter().map(|(file, error)| format!("{file}: {error}")).collect();
    let xhtml = "a schema refers to http://www.w3.org/2002/08/xhtml/xhtml1-strict.xsd, which is not there";
    let premis = "tresor/1.3/schema/deps/premis-2.3/premis-v2-3.xsd";
    let register = "xjustiz/2.4.0/xjustiz_0400_register_2_1.xsd";
    let expected = [
        format!("eark/2.2.0/schema/mets.profile.v2-0.xsd: {xhtml}"),
        format!("mets/1.12/mets.profile.v2-0.xsd: {xhtml}"),
        // xmllint only warns; we fail closed.
        format!(
            "tresor/1.3/schema/tr-esor-xaip-v1.3-Profil_XBDP_v1.0.xsd: \
             a schema refers to {premis}, which is not there"
        ),
        // A prefix in an XPath is not declared.
        format!("{register}: {register}, line 432: not a valid schema"),
    ];
    assert_eq!(found, expected);
}
