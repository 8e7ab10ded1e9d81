//! What can be imported: modules, and the names inside them.

use super::Kind;
use super::list::List;
use crate::lsp::analysis::Program;
use crate::lsp::analysis::model::BindingKind;
use crate::lsp::engine::{Asker, builtins};
use crate::lsp::live::{LiveAnswer, LiveQuery};

/// Adds modules. `package` is `os.` of `import os.pa`: only the last part is typed anew, and a dot ends a word for
/// clients.
pub(super) fn modules(list: &mut List, package: &str, typed: &str, asker: &mut Asker) {
    if package.is_empty() {
        for name in builtins::MODULES {
            list.add(name, Kind::Module, "", 1, "");
        }
        let snapshot = std::sync::Arc::clone(&asker.snapshot);
        for name in &snapshot.modules {
            list.add(name, Kind::Module, "", 0, "");
        }
    }
    if let LiveAnswer::Known(items) = asker.complete(&LiveQuery::Modules {
        prefix: format!("{package}{typed}"),
    }) {
        for item in items {
            if let Some(name) = item.name.strip_prefix(package) {
                list.add(name, Kind::Module, "", 0, "");
            }
        }
    }
}

pub(super) fn imported(list: &mut List, program: &Program, module: &str, prefix: &str, asker: &mut Asker) {
    // Only a module that is loaded is looked into: importing one would run its code.
    let query = LiveQuery::Members {
        expression: format!("sys.modules['{module}']"),
        prefix: prefix.to_owned(),
    };
    if module
        .chars()
        .all(|char| char == '.' || char == '_' || char.is_alphanumeric())
        && let LiveAnswer::Known(items) = asker.complete(&query)
    {
        list.add_live(&items, 0, "");
    }
    let query = LiveQuery::Modules {
        prefix: format!("{module}.{prefix}"),
    };
    if let LiveAnswer::Known(items) = asker.complete(&query) {
        let parent = format!("{module}.");
        for item in items {
            if let Some(name) = item.name.strip_prefix(&parent) {
                list.add(name, Kind::Module, "", 1, "");
            }
        }
    }
    // What the program imports from there elsewhere is known to exist.
    for (_, symbol) in program.model.symbols() {
        for binding in &symbol.bindings {
            if let BindingKind::FromImport { module: from, member } = &binding.kind
                && from == module
                && !binding.name.is_empty()
                && member != prefix
            {
                list.add(member, Kind::Instance, "", 2, "");
            }
        }
    }
}
