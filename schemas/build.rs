//! Links libxml2 as the system's pkg-config describes it.

fn main() {
    // 2.9.14 is what the layouts in `ffi` were checked against; later versions only append fields.
    if let Err(error) = pkg_config::Config::new().atleast_version("2.9.14").probe("libxml-2.0") {
        panic!("libxml2 with its development files is needed (Debian: libxml2-dev): {error}");
    }
}
