//! The house's plan, held against the crates as they are: who may use whom, and what nobody may use.
//! `docs/ARCHITECTURE.md` has the same table with the reasons.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Own crates: what each may use of the others. `*` stands for all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("xml", &[]),
    ("schemas", &["xml"]),
    ("seal", &["xml"]),
    ("net", &["seal", "model"]),
    ("soap", &["xml", "seal"]),
    ("xoev", &["model", "xml", "schemas"]),
    ("xta", &["xml", "schemas", "seal", "soap"]),
    ("osci", &["xml", "schemas", "seal", "soap"]),
    ("store", &["model", "seal"]),
    ("broker", &["model", "store", "seal"]),
    ("transport", &["broker", "model", "xta", "osci", "xoev", "seal", "net"]),
    ("pages", &["model", "seal"]),
    ("api", &["model", "broker", "seal", "net", "pages"]),
    ("console", &["model", "broker", "seal", "net", "pages", "identity"]),
    ("identity", &["model", "broker", "seal", "net"]),
    ("config", &["model", "broker", "seal", "transport"]),
    ("cli", &["model", "config", "demo"]),
    ("output", &[]),
    ("demo", &["conformance"]),
    ("conformance", &["xml", "schemas", "seal", "soap", "xoev", "xta", "osci", "net"]),
    ("amtsbote", &["*"]),
];

/// What any crate under `adapters/` may use of ours.
const ADAPTERS_MAY_USE: &[&str] = &["model", "net", "xml", "seal", "soap", "xoev", "schemas"];

const NETWORK: &[&str] = &["axum", "hyper", "hyper-util", "reqwest", "tower-http", "tokio-openssl"];

/// Foreign crates that a crate of ours must not use itself.
const NEVER: &[(&str, &[&str])] = &[
    ("model", NETWORK),
    ("model", &["sqlx", "quick-xml"]),
    ("xml", NETWORK),
    ("xml", &["sqlx", "tokio"]),
    ("schemas", NETWORK),
    ("schemas", &["sqlx", "tokio"]),
    ("seal", &["axum", "sqlx"]),
    ("xoev", NETWORK),
    ("xoev", &["sqlx", "tokio"]),
    ("store", &["quick-xml"]),
    ("broker", &["quick-xml", "axum", "hyper", "reqwest"]),
    ("api", &["quick-xml"]),
];

/// Foreign crates that only these crates of ours may use.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("sqlx", &["store", "conformance"]),
    ("quick-xml", &["xml", "schemas"]),
    ("openssl", &["seal", "net", "conformance"]),
    ("reqwest", &["net", "conformance"]),
];

/// Never in anything that is built: weak or unpatched, or a second TLS or XML stack.
const BANNED: &[&str] =
    &["rsa", "rustls", "ring", "aws-lc-rs", "aws-lc-sys", "sqlx-macros", "bindgen", "libxml", "serde_yaml"];

struct Package {
    name: String,
    /// Folder, relative to the project's.
    folder: String,
    uses: Vec<String>,
    /// Native library that it links by itself.
    links: bool,
}

impl Package {
    fn is_adapter(&self) -> bool {
        self.folder.starts_with("adapters/")
    }
}

/// What is wrong with the edges, a sentence each.
fn defects(packages: &[Package]) -> Vec<String> {
    let own: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let may_use: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut defects = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let allowed = if package.is_adapter() { Some(&ADAPTERS_MAY_USE) } else { may_use.get(name) };
        let Some(allowed) = allowed else {
            defects.push(format!("{name} is not in the plan"));
            continue;
        };
        for used in package.uses.iter().map(String::as_str) {
            let is_own = own.contains(&used);
            if is_own && !allowed.contains(&"*") && !allowed.contains(&used) {
                defects.push(format!("{name} must not use {used}"));
            }
            if NEVER.iter().any(|(who, what)| *who == name && what.contains(&used)) {
                defects.push(format!("{name} must never use {used}"));
            }
            if ONLY_IN.iter().any(|(what, who)| *what == used && !who.contains(&name)) {
                defects.push(format!("{name} must leave {used} to others"));
            }
        }
        if package.links && name != "schemas" {
            defects.push(format!("{name} links a native library by itself"));
        }
    }
    defects
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `amtsbote-store` is `store`; the root package keeps its name.
fn short(name: &str) -> String {
    name.strip_prefix("amtsbote-").unwrap_or(name).to_owned()
}

fn packages() -> Vec<Package> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]))
            .unwrap();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let package = |package: &Value| {
        let manifest =
            Path::new(package["manifest_path"].as_str().unwrap()).strip_prefix(root()).unwrap().to_owned();
        let normal = |dependency: &&Value| dependency["kind"].is_null();
        Package {
            name: short(package["name"].as_str().unwrap()),
            folder: manifest.parent().unwrap().display().to_string(),
            uses: list(&package["dependencies"])
                .iter()
                .filter(normal)
                .map(|dependency| short(dependency["name"].as_str().unwrap()))
                .collect(),
            links: !package["links"].is_null(),
        }
    };
    list(&metadata["packages"]).iter().map(package).collect()
}

/// Rust sources of the project, relative to it.
fn sources() -> Vec<String> {
    let files = Command::new("git").args(["ls-files", "*.rs"]).current_dir(root()).output().unwrap();
    assert!(files.status.success(), "git ls-files failed");
    let files = String::from_utf8(files.stdout).unwrap();
    files.lines().filter(|file| root().join(file).exists()).map(str::to_owned).collect()
}

fn code_lines(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned).collect()
}

#[test]
fn crates_use_each_other_as_planned() {
    let defects = defects(&packages());
    assert!(defects.is_empty(), "{defects:#?}");
}

#[test]
fn a_forbidden_edge_is_found() {
    let package = |name: &str, folder: &str, uses: &[&str]| Package {
        name: name.to_owned(),
        folder: folder.to_owned(),
        uses: uses.iter().map(|used| (*used).to_owned()).collect(),
        links: false,
    };
    let edge = |package: Package| {
        let others = ["store", "model", "xoev"].map(|name| Package { uses: vec![], ..Package::named(name) });
        defects(&others.into_iter().chain([package]).collect::<Vec<_>>())
    };
    assert_eq!(edge(package("api", "src/api", &["model"])), Vec::<String>::new());
    assert_eq!(edge(package("api", "src/api", &["store"])), ["api must not use store"]);
    assert_eq!(edge(package("seal", "src/seal", &["axum"])), ["seal must never use axum"]);
    assert_eq!(edge(package("broker", "src/broker", &["sqlx"])), ["broker must leave sqlx to others"]);
    assert_eq!(edge(package("dms", "adapters/dms", &["store"])), ["dms must not use store"]);
    assert_eq!(edge(package("extra", "src/extra", &[])), ["extra is not in the plan"]);
    assert_eq!(
        edge(Package { links: true, ..package("api", "src/api", &[]) }),
        ["api links a native library by itself"]
    );
}

impl Package {
    fn named(name: &str) -> Self {
        Package { name: name.to_owned(), folder: format!("src/{name}"), uses: vec![], links: false }
    }
}

#[test]
fn nothing_banned_is_built() {
    let tree = cargo(&[
        "tree",
        "--workspace",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--offline",
        "--locked",
    ]);
    let built: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let banned: Vec<_> = BANNED.iter().filter(|name| built.contains(name)).collect();
    assert!(banned.is_empty(), "{banned:?}");
    // Only who asks for the feature `otel` gets it.
    let traces: Vec<_> = built.iter().filter(|name| name.contains("opentelemetry")).collect();
    assert!(traces.is_empty(), "{traces:?}");
}

#[test]
fn only_the_validator_s_bindings_do_what_the_compiler_cannot_check() {
    // Put together, so that this file does not hold what it looks for.
    let keyword = concat!("un", "safe");
    let follows = ["{", "fn", "impl", "extern", "trait"].map(|after| format!("{keyword} {after}"));
    let attribute = format!("#[{keyword}");
    let is_used =
        |line: &String| line.contains(&attribute) || follows.iter().any(|form| line.contains(form.as_str()));
    let elsewhere: Vec<_> = sources()
        .into_iter()
        .filter(|file| !file.starts_with("schemas/src/ffi/"))
        .filter(|file| code_lines(file).iter().any(is_used))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");

    for package in packages().iter().filter(|package| package.name != "schemas") {
        let manifest = std::fs::read_to_string(root().join(&package.folder).join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} does not take the house's lints",
            package.name
        );
    }
}

#[test]
fn the_binary_stays_small() {
    let binary: Vec<_> = sources()
        .into_iter()
        .filter(|file| file.strip_prefix("src/").is_some_and(|name| !name.contains('/')))
        .collect();
    let lines: usize =
        binary.iter().map(|file| std::fs::read_to_string(root().join(file)).unwrap().lines().count()).sum();
    assert!(lines < 2_200, "{lines} lines in {binary:?}");
}

#[test]
fn what_ships_takes_only_simulators_from_conformance() {
    let judging: Vec<_> = sources()
        .into_iter()
        .filter(|file| file.starts_with("src/"))
        .flat_map(|file| code_lines(&file))
        .filter(|line| line.contains("conformance::") && !line.contains("conformance::simulate"))
        .collect();
    assert!(judging.is_empty(), "{judging:?}");
}
