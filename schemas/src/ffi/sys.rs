//! Declarations of libxml2, by hand: `libxml/xmlschemas.h`, `libxml/parser.h`, `libxml/xmlerror.h`.

use std::ffi::{c_char, c_int, c_uint, c_void};

macro_rules! opaque {
    ($($name:ident),*) => {$(
        #[repr(C)]
        pub(super) struct $name { _opaque: [u8; 0] }
    )*};
}

opaque!(ParserContext, ParserInputBuffer, SchemaParserContext, XmlSchema, ValidContext, Plug);

/// `xmlError`.
#[repr(C)]
pub(super) struct XmlError {
    pub(super) domain: c_int,
    pub(super) code: c_int,
    pub(super) message: *const c_char,
    pub(super) level: c_int,
    pub(super) file: *const c_char,
    pub(super) line: c_int,
}

/// The beginning of `xmlParserInput`.
#[repr(C)]
pub(super) struct ParserInput {
    pub(super) buf: *mut ParserInputBuffer,
    pub(super) filename: *const c_char,
}

pub(super) type StructuredError = unsafe extern "C" fn(*mut c_void, *mut XmlError);
pub(super) type EntityLoader =
    unsafe extern "C" fn(*const c_char, *const c_char, *mut ParserContext) -> *mut ParserInput;
pub(super) type StartElementNs = unsafe extern "C" fn(
    context: *mut c_void,
    local: *const u8,
    prefix: *const u8,
    uri: *const u8,
    namespace_count: c_int,
    namespaces: *const *const u8,
    attribute_count: c_int,
    defaulted_count: c_int,
    attributes: *const *const u8,
);
pub(super) type EndElementNs = unsafe extern "C" fn(*mut c_void, *const u8, *const u8, *const u8);
pub(super) type Characters = unsafe extern "C" fn(*mut c_void, *const u8, c_int);

/// `xmlSAXHandler`; the members that are not used are plain pointers.
#[repr(C)]
pub(super) struct SaxHandler {
    before_characters: [*mut c_void; 17],
    pub(super) characters: Option<Characters>,
    after_characters: [*mut c_void; 9],
    initialized: c_uint,
    private: *mut c_void,
    pub(super) start_element_ns: Option<StartElementNs>,
    pub(super) end_element_ns: Option<EndElementNs>,
    serror: Option<StructuredError>,
}

/// `XML_CHAR_ENCODING_NONE`.
pub(super) const ENCODING_NONE: c_int = 0;
/// `XML_ERR_ERROR`: below are warnings.
pub(super) const LEVEL_ERROR: c_int = 2;

unsafe extern "C" {
    pub(super) fn xmlInitParser();
    pub(super) fn xmlSchemaInitTypes();
    pub(super) fn xmlSetExternalEntityLoader(loader: EntityLoader);
    pub(super) fn xmlSetStructuredErrorFunc(context: *mut c_void, handler: Option<StructuredError>);
    pub(super) fn xmlParserInputBufferCreateMem(
        memory: *const c_char,
        size: c_int,
        encoding: c_int,
    ) -> *mut ParserInputBuffer;
    pub(super) fn xmlFreeParserInputBuffer(buffer: *mut ParserInputBuffer);
    pub(super) fn xmlNewIOInputStream(
        context: *mut ParserContext,
        buffer: *mut ParserInputBuffer,
        encoding: c_int,
    ) -> *mut ParserInput;
    pub(super) fn xmlStrdup(text: *const c_char) -> *const c_char;

    pub(super) fn xmlSchemaNewParserCtxt(url: *const c_char) -> *mut SchemaParserContext;
    pub(super) fn xmlSchemaFreeParserCtxt(context: *mut SchemaParserContext);
    pub(super) fn xmlSchemaSetParserStructuredErrors(
        context: *mut SchemaParserContext,
        handler: StructuredError,
        user: *mut c_void,
    );
    pub(super) fn xmlSchemaParse(context: *mut SchemaParserContext) -> *mut XmlSchema;
    pub(super) fn xmlSchemaFree(schema: *mut XmlSchema);

    pub(super) fn xmlSchemaNewValidCtxt(schema: *mut XmlSchema) -> *mut ValidContext;
    pub(super) fn xmlSchemaFreeValidCtxt(context: *mut ValidContext);
    pub(super) fn xmlSchemaSetValidStructuredErrors(
        context: *mut ValidContext,
        handler: StructuredError,
        user: *mut c_void,
    );
    pub(super) fn xmlSchemaSAXPlug(
        context: *mut ValidContext,
        sax: *mut *mut SaxHandler,
        user: *mut *mut c_void,
    ) -> *mut Plug;
    pub(super) fn xmlSchemaSAXUnplug(plug: *mut Plug) -> c_int;
    pub(super) fn xmlSchemaIsValid(context: *mut ValidContext) -> c_int;
}
