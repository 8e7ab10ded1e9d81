//! `kernel_info` and `connect`: what a client asks before anything else, answered before Python is up.

use serde::Serialize;

use super::Status;
use crate::wire::PROTOCOL_VERSION;
use crate::wire::connection::Ports;

/// `kernel_info_reply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KernelInfoReply {
    status: Status,
    protocol_version: &'static str,
    /// The kernel's name.
    pub implementation: String,
    /// The kernel's version.
    pub implementation_version: String,
    /// The language that it runs.
    pub language_info: LanguageInfo,
    /// What a console shows when it starts.
    pub banner: String,
    /// Entries for a help menu.
    pub help_links: Vec<HelpLink>,
    /// Whether `debug_request` is understood; deprecated since 5.5 in favour of `supported_features`, but still the
    /// field that front-ends read.
    pub debugger: bool,
    /// Optional parts of the protocol that the kernel has: `debugger`, `kernel subshells`.
    pub supported_features: Vec<String>,
}

impl KernelInfoReply {
    /// A reply without help links and optional features.
    pub fn new(
        implementation: impl Into<String>,
        version: impl Into<String>,
        language_info: LanguageInfo,
    ) -> Self {
        Self {
            status: Status::Ok,
            protocol_version: PROTOCOL_VERSION,
            implementation: implementation.into(),
            implementation_version: version.into(),
            language_info,
            banner: String::new(),
            help_links: Vec::new(),
            debugger: false,
            supported_features: Vec::new(),
        }
    }
}

/// What front-ends need to know of a language to highlight it, and nbconvert to export it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LanguageInfo {
    /// `python`.
    pub name: String,
    /// The language's version, for example `3.12.4`.
    pub version: String,
    /// The MIME type of source files.
    pub mimetype: String,
    /// The extension of source files, with its dot.
    pub file_extension: String,
    /// The lexer for static highlighting.
    pub pygments_lexer: String,
    /// The mode for highlighting in an editor.
    pub codemirror_mode: CodemirrorMode,
    /// The exporter that writes a notebook as a source file.
    pub nbconvert_exporter: String,
    /// Prompts for Positron's console, which reads them here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positron: Option<Prompts>,
}

impl LanguageInfo {
    /// Python with IPython's syntax, as notebooks of other Python kernels have it, so that a notebook moved between
    /// kernels does not change.
    pub fn python(version: impl Into<String>) -> Self {
        Self {
            name: "python".to_owned(),
            version: version.into(),
            mimetype: "text/x-python".to_owned(),
            file_extension: ".py".to_owned(),
            pygments_lexer: "ipython3".to_owned(),
            codemirror_mode: CodemirrorMode {
                name: "ipython".to_owned(),
                version: 3,
            },
            nbconvert_exporter: "python".to_owned(),
            positron: None,
        }
    }
}

/// An editor mode and the language's major version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodemirrorMode {
    /// The mode's name.
    pub name: String,
    /// The language's major version.
    pub version: u32,
}

/// The prompts of a Positron console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prompts {
    /// Before the first line, for example `>>>`.
    pub input_prompt: String,
    /// Before each further line, for example `...`.
    pub continuation_prompt: String,
}

/// An entry in a front-end's help menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HelpLink {
    /// What the menu shows.
    pub text: String,
    /// Where it leads.
    pub url: String,
}

/// `connect_reply`, deprecated since 5.1 but still answered by kernels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectReply {
    status: Status,
    /// The ports that are bound.
    #[serde(flatten)]
    pub ports: Ports,
}

impl ConnectReply {
    /// The reply for these ports.
    pub fn new(ports: Ports) -> Self {
        Self {
            status: Status::Ok,
            ports,
        }
    }
}
