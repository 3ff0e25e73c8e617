//! One validation, fed with events. libxml2 keeps the names it is given by pointer for as long as
//! it likes, so they are kept here, one copy per distinct name; values it copies.

use super::compile::{Schema, initialise};
use super::sys::*;
use crate::Error;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use xml::{Place, Start, Symbol};

/// Violations kept between two events. One event cannot cause many.
const PENDING: usize = 64;

/// `XML_SCHEMAV_INTERNAL`.
const INTERNAL_ERROR: c_int = 1818;

/// What libxml2 reports.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    /// libxml2's number (`xmlParserErrors`).
    pub(crate) code: i32,
    /// libxml2's text. It can quote values of the message: never hand it on as it is.
    pub(crate) text: String,
}

impl Violation {
    /// Whether a value breaks its simple type (`XML_SCHEMAV_CVC_DATATYPE_VALID_*` and the facets).
    pub(crate) fn is_of_value(&self) -> bool {
        matches!(self.code, 1824..=1826 | 1829..=1840)
    }
}

/// What libxml2 holds addresses of: it lives in one place until the feed is dropped.
struct Shared {
    violations: RefCell<Vec<Violation>>,
    /// libxml2 reported an internal error: its state is not to be relied upon any more.
    broken: Cell<bool>,
    /// Set by xmlSchemaSAXPlug and written again by xmlSchemaSAXUnplug.
    sax: *mut SaxHandler,
    user: *mut c_void,
}

/// A validation under way.
pub(crate) struct Feed {
    context: NonNull<ValidContext>,
    plug: *mut Plug,
    user: *mut c_void,
    start: StartElementNs,
    end: EndElementNs,
    characters: Characters,
    shared: NonNull<Shared>,
    /// Copies of the reader's names, by symbol; each has its own allocation, which never moves.
    names: Vec<Option<CString>>,
    /// Reused from tag to tag.
    namespaces: Vec<*const u8>,
    attributes: Vec<*const u8>,
    values: Vec<u8>,
    /// Keeps the schema alive: the context points into it.
    _schema: Arc<Schema>,
}

// SAFETY: nothing in it belongs to a thread: the context and all that it points to are reached
// through this value alone, which can be moved, not shared.
unsafe impl Send for Feed {}

impl Feed {
    pub(crate) fn new(schema: Arc<Schema>) -> Result<Self, Error> {
        initialise();
        // SAFETY: the schema lives as long as the context (`_schema`).
        let context = unsafe { xmlSchemaNewValidCtxt(schema.as_ptr()) };
        let context = NonNull::new(context).ok_or(Error::Memory)?;
        let shared = Shared {
            violations: RefCell::default(),
            broken: Cell::new(false),
            sax: ptr::null_mut(),
            user: ptr::null_mut(),
        };
        let shared = NonNull::from(Box::leak(Box::new(shared)));
        let mut feed = Feed {
            context,
            plug: ptr::null_mut(),
            user: ptr::null_mut(),
            start: no_start,
            end: no_end,
            characters: no_characters,
            shared,
            names: Vec::new(),
            namespaces: Vec::new(),
            attributes: Vec::new(),
            values: Vec::new(),
            _schema: schema,
        };
        feed.plug_in().map(|()| feed)
    }

    fn plug_in(&mut self) -> Result<(), Error> {
        let shared = self.shared.as_ptr();
        // SAFETY: `shared` lives until drop, which ends the use of its addresses first. libxml2
        // writes the handler and its user pointer through the two addresses; the handler lives
        // as long as the plug.
        let handlers = unsafe {
            xmlSchemaSetValidStructuredErrors(self.context.as_ptr(), on_violation, shared.cast());
            let (sax, user) = (&raw mut (*shared).sax, &raw mut (*shared).user);
            self.plug = xmlSchemaSAXPlug(self.context.as_ptr(), sax, user);
            self.user = *user;
            (*sax).as_ref().map(|sax| (sax.start_element_ns, sax.end_element_ns, sax.characters))
        };
        let Some((Some(start), Some(end), Some(characters))) = handlers else {
            return Err(Error::Memory);
        };
        (self.start, self.end, self.characters) = (start, end, characters);
        Ok(())
    }

    fn violations(&self) -> &RefCell<Vec<Violation>> {
        // SAFETY: `shared` lives until drop; this member is only ever reached by shared reference.
        unsafe { &(*self.shared.as_ptr()).violations }
    }

    /// After an internal error libxml2 would run into null pointers: it gets nothing more.
    fn stop_if_broken(&mut self) {
        // SAFETY: as in `violations`.
        let broken = unsafe { &(*self.shared.as_ptr()).broken };
        if broken.get() {
            self.unplug();
        }
    }

    pub(crate) fn start(&mut self, start: &Start<'_>) {
        let [local, prefix, namespace] = start.symbols();
        let local = self.name(local, start.local());
        let prefix = self.name(prefix, start.prefix().unwrap_or_default());
        let namespace = self.name(namespace, start.namespace().unwrap_or_default());
        self.collect_namespaces(start);
        let attribute_count = self.collect_attributes(start);
        // Both counts are limited by the reader.
        let namespace_count = (self.namespaces.len() / 2) as c_int;
        // SAFETY: the handler and its context come from xmlSchemaSAXPlug. Names are NUL-terminated
        // and live as long as this value. The arrays have the layout of startElementNsSAX2Func:
        // pairs (prefix, URI) and quintuples (local, prefix, URI, value, end of value); both and
        // the values live during the call, and libxml2 copies what it keeps.
        unsafe {
            (self.start)(
                self.user,
                local,
                prefix,
                namespace,
                namespace_count,
                self.namespaces.as_ptr(),
                attribute_count,
                0,
                self.attributes.as_ptr(),
            );
        }
        self.stop_if_broken();
    }

    pub(crate) fn text(&mut self, text: &str) {
        // libxml2 looks at the first byte whatever the length, and counts in `int`.
        let Ok(length @ 1..) = c_int::try_from(text.len()) else {
            return;
        };
        // SAFETY: handler and context as above; libxml2 copies the text during the call.
        unsafe { (self.characters)(self.user, text.as_ptr(), length) }
        self.stop_if_broken();
    }

    pub(crate) fn end(&mut self, place: Place<'_>) {
        let [local, prefix, namespace] = place.symbols().map(|symbol| self.known_name(symbol));
        // SAFETY: handler and context as above; the names are those that `start` handed over.
        unsafe { (self.end)(self.user, local, prefix, namespace) }
        self.stop_if_broken();
    }

    /// Ends the validation: `true` if the document is valid. No event may follow.
    pub(crate) fn finish(&mut self) -> bool {
        if !self.unplug() {
            return false;
        }
        // SAFETY: the context is alive until drop.
        unsafe { xmlSchemaIsValid(self.context.as_ptr()) == 1 }
    }

    /// Takes what was reported since the last call.
    pub(crate) fn take_violations(&mut self) -> Vec<Violation> {
        self.violations().take()
    }

    fn unplug(&mut self) -> bool {
        let plug = std::mem::replace(&mut self.plug, ptr::null_mut());
        if plug.is_null() {
            return false;
        }
        (self.start, self.end, self.characters) = (no_start, no_end, no_characters);
        // SAFETY: the plug came from xmlSchemaSAXPlug and is given back once; the handlers that
        // belong to it are not called any more.
        unsafe { xmlSchemaSAXUnplug(plug) == 0 }
    }

    /// The lasting copy of a name; NULL for the empty one.
    fn name(&mut self, symbol: Symbol, text: &str) -> *const u8 {
        if symbol == Symbol::EMPTY {
            return ptr::null();
        }
        if self.names.len() <= symbol.index() {
            self.names.resize(symbol.index() + 1, None);
        }
        // XML allows no NUL, so the copy cannot fail.
        let name = self.names[symbol.index()].get_or_insert_with(|| CString::new(text).unwrap_or_default());
        name.as_ptr().cast()
    }

    /// The copy of a name that was handed over before.
    fn known_name(&self, symbol: Symbol) -> *const u8 {
        let name = self.names.get(symbol.index()).and_then(Option::as_ref);
        name.map_or(ptr::null(), |name| name.as_ptr().cast())
    }

    fn collect_namespaces(&mut self, start: &Start<'_>) {
        self.namespaces.clear();
        let texts = start.declarations();
        for ((prefix, uri), (prefix_text, uri_text)) in start.declaration_symbols().iter().zip(texts) {
            let prefix = self.name(*prefix, prefix_text.unwrap_or_default());
            // The absent prefix is NULL, but libxml2 reads the URI of `xmlns=""`.
            let uri = if *uri == Symbol::EMPTY { c"".as_ptr().cast() } else { self.name(*uri, uri_text) };
            self.namespaces.extend([prefix, uri]);
        }
    }

    fn collect_attributes(&mut self, start: &Start<'_>) -> c_int {
        self.attributes.clear();
        self.values.clear();
        // libxml2 turns exactly `&#38;` back into `&`, as its parser hands it over.
        for attribute in start.attributes() {
            for byte in attribute.value.bytes() {
                match byte {
                    b'&' => self.values.extend_from_slice(b"&#38;"),
                    byte => self.values.push(byte),
                }
            }
        }
        // Only now, when `values` moves no more, can be pointed into it.
        let mut from = self.values.as_ptr();
        let mut count = 0;
        for attribute in start.attributes() {
            let [local, prefix, namespace] = attribute.symbols();
            let local = self.name(local, attribute.local);
            let prefix = self.name(prefix, attribute.prefix.unwrap_or_default());
            let namespace = self.name(namespace, attribute.namespace.unwrap_or_default());
            let ampersands = attribute.value.bytes().filter(|byte| *byte == b'&').count();
            let to = from.wrapping_add(attribute.value.len() + 4 * ampersands);
            self.attributes.extend([local, prefix, namespace, from, to]);
            from = to;
            count += 1;
        }
        count
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.unplug();
        // SAFETY: the context came from xmlSchemaNewValidCtxt and is freed here only; the schema
        // is dropped after this.
        unsafe { xmlSchemaFreeValidCtxt(self.context.as_ptr()) }
        // SAFETY: it came from a box; with plug and context gone nobody else has its address.
        drop(unsafe { Box::from_raw(self.shared.as_ptr()) });
    }
}

unsafe extern "C" fn on_violation(user: *mut c_void, error: *mut XmlError) {
    // SAFETY: libxml2 passes a valid error that lives during the call, or NULL.
    let Some(error) = (unsafe { error.as_ref() }) else { return };
    // SAFETY: the user pointer is the `Shared` of the feed that is calling libxml2, on this
    // thread; the feed holds no borrow of the two members during the call.
    let (violations, broken) =
        unsafe { (&(*user.cast::<Shared>()).violations, &(*user.cast::<Shared>()).broken) };
    broken.set(broken.get() || error.code == INTERNAL_ERROR);
    let text = match error.message.is_null() {
        true => String::new(),
        // SAFETY: a NUL-terminated string that lives as long as the error.
        false => unsafe { CStr::from_ptr(error.message) }.to_string_lossy().into_owned(),
    };
    let mut violations = violations.borrow_mut();
    if violations.len() < PENDING {
        violations.push(Violation { code: error.code, text });
    }
}

unsafe extern "C" fn no_start(
    _: *mut c_void,
    _: *const u8,
    _: *const u8,
    _: *const u8,
    _: c_int,
    _: *const *const u8,
    _: c_int,
    _: c_int,
    _: *const *const u8,
) {
}

unsafe extern "C" fn no_end(_: *mut c_void, _: *const u8, _: *const u8, _: *const u8) {}

unsafe extern "C" fn no_characters(_: *mut c_void, _: *const u8, _: c_int) {}
