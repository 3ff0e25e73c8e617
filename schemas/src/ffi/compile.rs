//! Compiling a schema from memory. libxml2's loader of external entities is replaced for the whole
//! process by one that knows only the files of the compilation under way on its thread: it opens
//! no file and no connection, and remembers what was asked for in vain.

use super::sys::*;
use crate::Error;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Once};

/// Finds the file behind a URL that a schema refers to.
pub(crate) trait Resolver {
    /// The file's own URL, against which it resolves relative ones, and its bytes; `None` if there
    /// is no such file.
    fn resolve(&self, url: &str) -> Option<(String, Arc<[u8]>)>;
}

/// A compiled schema. Read-only, so that any number of threads can validate with it.
pub struct Schema(NonNull<XmlSchema>);

// SAFETY: after xmlSchemaParse a schema is only read; xmlSchemaNewValidCtxt and the validation
// keep their state in the validation context (and xmlSchemaInitTypes has run before).
unsafe impl Send for Schema {}
// SAFETY: as above.
unsafe impl Sync for Schema {}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schema")
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // SAFETY: the pointer came from xmlSchemaParse and is freed here only.
        unsafe { xmlSchemaFree(self.0.as_ptr()) }
    }
}

impl Schema {
    pub(super) fn as_ptr(&self) -> *mut XmlSchema {
        self.0.as_ptr()
    }
}

/// What the loader and the error handler of the compilation under way need.
struct Job {
    resolver: Arc<dyn Resolver>,
    missing: Vec<String>,
    defect: Option<(String, u64)>,
}

thread_local! {
    static JOB: RefCell<Option<Job>> = const { RefCell::new(None) };
}

/// One compilation.
pub(crate) struct Compilation {
    /// URL of the file to begin with; relative locations in it are resolved against it.
    pub(crate) root: String,
    pub(crate) resolver: Arc<dyn Resolver>,
}

impl Compilation {
    /// Compiles, failing closed: a file that is asked for and not there is an error, even where
    /// libxml2 would go on without it.
    pub(crate) fn run(self) -> Result<Schema, Error> {
        initialise();
        let url = CString::new(self.root.clone()).map_err(|_| Error::BadLocation)?;
        let job = Job { resolver: self.resolver, missing: Vec::new(), defect: None };
        JOB.with_borrow_mut(|slot| *slot = Some(job));
        let schema = parse(&url);
        let job = JOB.with_borrow_mut(Option::take);
        let schema = NonNull::new(schema).map(Schema);
        let Some(job) = job else { return Err(Error::Memory) };
        if let Some(url) = job.missing.into_iter().next() {
            return Err(Error::Missing { url });
        }
        match (job.defect, schema) {
            (None, Some(schema)) => Ok(schema),
            (Some((file, line)), _) => Err(Error::Defect { file, line }),
            (None, None) => Err(Error::Defect { file: self.root, line: 0 }),
        }
    }
}

fn parse(url: &CStr) -> *mut XmlSchema {
    // SAFETY: plain C calls in the documented order; `url` outlives them; the context is freed
    // once, and the schema does not refer to it. The error functions get no user pointer, they
    // use the thread's job. The thread's general error function is set back afterwards.
    unsafe {
        xmlSetStructuredErrorFunc(ptr::null_mut(), Some(on_error));
        let context = xmlSchemaNewParserCtxt(url.as_ptr());
        if context.is_null() {
            return ptr::null_mut();
        }
        xmlSchemaSetParserStructuredErrors(context, on_error, ptr::null_mut());
        let schema = xmlSchemaParse(context);
        xmlSchemaFreeParserCtxt(context);
        xmlSetStructuredErrorFunc(ptr::null_mut(), None);
        schema
    }
}

/// Makes libxml2 ready, once, before any thread uses it.
pub(super) fn initialise() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: called once; libxml2 asks for exactly these calls before threads use it.
        unsafe {
            xmlInitParser();
            xmlSchemaInitTypes();
            xmlSetExternalEntityLoader(load);
        }
    });
}

/// The only way libxml2 gets at a file in this process.
unsafe extern "C" fn load(
    url: *const c_char,
    _public_id: *const c_char,
    context: *mut ParserContext,
) -> *mut ParserInput {
    if url.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: libxml2 passes a NUL-terminated string that lives during the call.
    let name = unsafe { CStr::from_ptr(url) }.to_string_lossy();
    let Some((own_url, bytes)) = find(&name) else { return ptr::null_mut() };
    let Ok(own_url) = CString::new(own_url) else { return ptr::null_mut() };
    let Ok(size) = c_int::try_from(bytes.len()) else { return ptr::null_mut() };
    // SAFETY: `bytes` lives during the call and is copied by xmlParserInputBufferCreateMem; the
    // buffer belongs to the stream once that exists and is freed here if it does not; the file
    // name is libxml2's to free, so it is libxml2's copy.
    unsafe {
        let buffer = xmlParserInputBufferCreateMem(bytes.as_ptr().cast(), size, ENCODING_NONE);
        if buffer.is_null() {
            return ptr::null_mut();
        }
        let input = xmlNewIOInputStream(context, buffer, ENCODING_NONE);
        if input.is_null() {
            xmlFreeParserInputBuffer(buffer);
        } else {
            (*input).filename = xmlStrdup(own_url.as_ptr());
        }
        input
    }
}

fn find(url: &str) -> Option<(String, Arc<[u8]>)> {
    JOB.with_borrow_mut(|job| {
        let job = job.as_mut()?;
        let found = job.resolver.resolve(url);
        if found.is_none() && job.missing.len() < 100 {
            job.missing.push(url.to_owned());
        }
        found
    })
}

/// Notes file and line of the first error; libxml2's text may quote anything and is dropped.
unsafe extern "C" fn on_error(_user: *mut c_void, error: *mut XmlError) {
    // SAFETY: libxml2 passes a valid error that lives during the call, or NULL.
    let Some(error) = (unsafe { error.as_ref() }) else { return };
    if error.level < LEVEL_ERROR {
        return;
    }
    let file = match error.file.is_null() {
        true => String::new(),
        // SAFETY: a NUL-terminated string that lives as long as the error.
        false => unsafe { CStr::from_ptr(error.file) }.to_string_lossy().into_owned(),
    };
    let line = u64::try_from(error.line).unwrap_or_default();
    JOB.with_borrow_mut(|job| {
        if let Some(job) = job.as_mut().filter(|job| job.defect.is_none()) {
            job.defect = Some((file, line));
        }
    });
}
