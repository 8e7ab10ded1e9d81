//! What a client may choose: by `initializationOptions`, and while it is connected by `workspace/configuration`, section
//! `drupe`.
//!
//! Read by the session, which tells what was wrong with it; a wrong value is as good as none. `docs/language-server.md`
//! has the table.

use serde_json::Value;

use crate::options::Checker;

/// What is announced to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announce {
    /// Everything.
    All,
    /// What only a session can know, for a client in which another server answers for the source.
    LiveOnly,
}

/// One client's choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// What is announced.
    pub announce: Announce,
    /// The type checker that this client is to be answered with; `None`: as the server was started.
    pub types: Option<Checker>,
    /// Whether types are shown behind variables.
    pub inlay_hints: bool,
    /// Whether names are completed that nothing has imported, with their import.
    pub auto_import: bool,
    diagnostics: Option<bool>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            announce: Announce::All,
            types: None,
            inlay_hints: true,
            auto_import: true,
            diagnostics: None,
        }
    }
}

impl Configuration {
    /// What `initialize` says, and a sentence for each thing that is wrong with it.
    pub fn of_client(params: &Value) -> (Self, Vec<String>) {
        let options = params.get("initializationOptions").unwrap_or(&Value::Null);
        let mut configuration = Self::default();
        // Positron says this to the server in its console's kernel, beside which one for the source runs.
        if options.get("positron").is_some() {
            configuration.announce = Announce::LiveOnly;
        }
        let own = options.get("drupe").unwrap_or(options);
        configuration.with(own, "initializationOptions")
    }

    /// These choices with those of `settings` in their place, which came from `source`, and a sentence for each thing that is
    /// wrong with them.
    pub fn with(&self, settings: &Value, source: &str) -> (Self, Vec<String>) {
        let mut chosen = self.clone();
        let mut wrong = Vec::new();
        let mut complain = |name: &str, value: &Value, allowed: &str| {
            wrong.push(format!("{source}: {name} is {value}: it must be {allowed}"));
        };
        let fields = match settings {
            Value::Object(fields) => fields,
            Value::Null => return (chosen, wrong),
            other => {
                complain("drupe", other, "an object");
                return (chosen, wrong);
            }
        };
        for (name, value) in fields {
            let text = value.as_str().unwrap_or_default();
            let switch = value.as_bool();
            match (name.as_str(), value) {
                // As good as not said.
                (_, Value::Null) => {}
                ("diagnostics", _) if switch.is_some() => chosen.diagnostics = switch,
                ("inlayHints", Value::Bool(on)) => chosen.inlay_hints = *on,
                ("autoImport", Value::Bool(on)) => chosen.auto_import = *on,
                ("diagnostics" | "inlayHints" | "autoImport", _) => complain(name, value, "true or false"),
                ("announce", _) => match text {
                    "all" => chosen.announce = Announce::All,
                    "live-only" => chosen.announce = Announce::LiveOnly,
                    _ => complain(name, value, r#""all" or "live-only""#),
                },
                ("types", _) => match text.parse() {
                    Ok(checker) => chosen.types = Some(checker),
                    Err(_) => complain(name, value, Checker::NAMES),
                },
                _ => {}
            }
        }
        (chosen, wrong)
    }

    /// Whether diagnostics are published: where nothing was said, where another server does not do it.
    pub fn diagnostics(&self) -> bool {
        self.diagnostics.unwrap_or(self.announce == Announce::All)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_client_may_choose() {
        let of = |options: Value| Configuration::of_client(&json!({"initializationOptions": options}));
        assert_eq!(of(Value::Null), (Configuration::default(), Vec::new()));
        for options in [
            json!({"diagnostics": false, "inlayHints": false, "autoImport": false, "types": "ty"}),
            json!({"drupe": {"diagnostics": false, "inlayHints": false, "autoImport": false, "types": "ty"}}),
        ] {
            let (chosen, wrong) = of(options);
            assert!(wrong.is_empty() && !chosen.diagnostics() && !chosen.inlay_hints && !chosen.auto_import);
            assert_eq!(chosen.types, Some(Checker::Ty));
        }
    }

    #[test]
    fn in_positron_another_server_answers_for_the_source() {
        let positron = json!({"initializationOptions": {"positron": {"working_directory": "/"}}});
        let (chosen, _) = Configuration::of_client(&positron);
        assert_eq!(
            (chosen.announce, chosen.diagnostics()),
            (Announce::LiveOnly, false)
        );
        let (chosen, _) = chosen.with(&json!({"diagnostics": true}), "workspace/configuration");
        assert!(chosen.diagnostics());
        let all = json!({"initializationOptions": {"positron": {}, "announce": "all"}});
        assert_eq!(Configuration::of_client(&all).0.announce, Announce::All);
    }

    #[test]
    fn what_is_wrong_is_said_and_changes_nothing() {
        let settings =
            json!({"announce": "some", "inlayHints": "no", "types": 7, "diagnostics": null, "new": 1});
        let (chosen, mut wrong) = Configuration::default().with(&settings, "workspace/configuration");
        assert_eq!(chosen, Configuration::default());
        wrong.sort_unstable();
        let expected = [
            r#"workspace/configuration: announce is "some": it must be "all" or "live-only""#.to_owned(),
            r#"workspace/configuration: inlayHints is "no": it must be true or false"#.to_owned(),
            format!(
                "workspace/configuration: types is 7: it must be {}",
                Checker::NAMES
            ),
        ];
        assert_eq!(wrong, expected);
        let (_, wrong) = Configuration::default().with(&json!([1]), "workspace/configuration");
        assert_eq!(
            wrong,
            ["workspace/configuration: drupe is [1]: it must be an object"]
        );
    }
}
