//! What `kernel_info_reply` says. Complete before Python is up; Python only adds what nobody else can know.

use serde_json::Value;

use crate::wire::messages::info::{HelpLink, KernelInfoReply, LanguageInfo, Prompts};

/// What the reply is made of.
#[derive(Clone, Debug)]
pub struct KernelInfo {
    language_version: String,
    banner: String,
    debugger: bool,
    subshells: bool,
}

/// The pages that a front-end's Help menu offers.
const HELP_LINKS: [(&str, &str); 6] = [
    ("Python Reference", "https://docs.python.org/3"),
    ("IPython Reference", "https://ipython.org/documentation.html"),
    ("NumPy Reference", "https://docs.scipy.org/doc/numpy/reference/"),
    ("Matplotlib Reference", "https://matplotlib.org/contents.html"),
    (
        "pandas Reference",
        "https://pandas.pydata.org/pandas-docs/stable/",
    ),
    ("SciPy Reference", "https://docs.scipy.org/doc/scipy/reference/"),
];

impl KernelInfo {
    /// From the versions that the launcher knows: of Python, such as `3.12.1`, and of IPython; and whether the environment has
    /// debugpy, and whether there are subshells.
    pub fn new(
        language_version: Option<String>,
        ipython_version: Option<&str>,
        debugger: bool,
        subshells: bool,
    ) -> Self {
        let language_version = language_version.unwrap_or_else(|| "3".to_owned());
        let shell = ipython_version
            .map(|version| format!(", IPython {version}"))
            .unwrap_or_default();
        let banner = format!(
            "Python {language_version}{shell} -- drupe {}\nType '?' for help, and shut down whenever you like.\n",
            env!("CARGO_PKG_VERSION")
        );
        KernelInfo {
            language_version,
            banner,
            debugger,
            subshells,
        }
    }

    /// Take over what Python says of itself: an object with any of `language_version`, `banner` and `debugger`.
    pub fn update(&mut self, said: &Value) {
        if let Some(version) = said.get("language_version").and_then(Value::as_str) {
            self.language_version = version.to_owned();
        }
        if let Some(banner) = said.get("banner").and_then(Value::as_str) {
            self.banner = banner.to_owned();
        }
        if let Some(debugger) = said.get("debugger").and_then(Value::as_bool) {
            self.debugger = debugger;
        }
    }

    /// The content of the reply.
    pub fn reply(&self) -> KernelInfoReply {
        let mut language = LanguageInfo::python(&self.language_version);
        language.positron = Some(Prompts {
            input_prompt: ">>>".to_owned(),
            continuation_prompt: "...".to_owned(),
        });
        let mut reply = KernelInfoReply::new("drupe", env!("CARGO_PKG_VERSION"), language);
        reply.banner.clone_from(&self.banner);
        reply.debugger = self.debugger;
        if self.debugger {
            reply.supported_features.push("debugger".to_owned());
        }
        if self.subshells {
            reply.supported_features.push("kernel subshells".to_owned());
        }
        reply.help_links = HELP_LINKS
            .iter()
            .map(|(text, url)| HelpLink {
                text: (*text).to_owned(),
                url: (*url).to_owned(),
            })
            .collect();
        reply
    }
}
