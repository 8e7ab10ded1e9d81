//! What the session has to be given before it is asked: the names that code above the cursor binds and that has not run.
//!
//! `df2 = df.copy()` is typed, and `df2["` below it: the session has no `df2`, but it can tell what `df.copy()` is. So each
//! question carries the values' texts, those that they need in turn, and the annotations of parameters.

use ruff_text_size::{TextRange, TextSize};

use super::Asker;
use super::builtins;
use super::description::{is_outdated, shown_type};
use crate::lsp::analysis::expression::is_word;
use crate::lsp::analysis::model::{Binding, BindingKind, How, Spot, Symbol, SymbolId};
use crate::lsp::analysis::{Program, ScopeKind, describe};
use crate::lsp::live::{LiveGiven, LiveHow};

/// At most so many names go with a question.
const MOST: usize = 20;
/// A text of more bytes is too long to be read in time.
const LONGEST: usize = 500;

/// What goes with a question about `expression`, as it is read at `spot`. `None` when the session is not to be asked: the first
/// name is a local variable of which nobody knows what it is, or the session's is from before an edit.
pub fn of(program: &Program, spot: Spot, expression: &str, asker: &Asker) -> Option<Vec<LiveGiven>> {
    if is_outdated(program, spot, expression, asker) {
        return None;
    }
    let first = first_name(expression);
    let mut given = Given::new(program, asker);
    if !given.add_attribute(spot, expression) && !given.add(spot, first, None) {
        return None;
    }
    for name in names_of(expression).into_iter().filter(|name| *name != first) {
        given.add(spot, name, None);
    }
    Some(given.sorted())
}

/// What goes with a question about all of these texts.
pub fn of_all<'t>(
    program: &Program,
    spot: Spot,
    texts: impl IntoIterator<Item = &'t str>,
    asker: &Asker,
) -> Vec<LiveGiven> {
    let mut given = Given::new(program, asker);
    for text in texts {
        given.add_attribute(spot, text);
        for name in names_of(text) {
            given.add(spot, name, None);
        }
    }
    given.sorted()
}

/// The first name of an expression; empty where it begins with something else.
pub fn first_name(expression: &str) -> &str {
    expression.split(|char| !is_word(char)).next().unwrap_or_default()
}

/// The names of an expression that are no attributes.
pub fn names_of(expression: &str) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let mut after_dot = false;
    for word in expression.split_inclusive(|char| !is_word(char)) {
        let name = word.trim_end_matches(|char| !is_word(char));
        let starts_well = name.starts_with(|char: char| !char.is_numeric());
        if starts_well
            && !after_dot
            && !names.contains(&name)
            && builtins::KEYWORDS.binary_search(&name).is_err()
        {
            names.push(name);
        }
        after_dot = word.ends_with('.');
    }
    names
}

/// Where a name goes in the order of all: where it is bound, or before what needs it; of two in one place the deeper first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    at: TextSize,
    depth: std::cmp::Reverse<usize>,
}

/// The names while they are collected, each with where it is bound.
struct Given<'a> {
    program: &'a Program,
    asker: &'a Asker<'a>,
    found: Vec<(Turn, TextSize, LiveGiven)>,
}

impl<'a> Given<'a> {
    fn new(program: &'a Program, asker: &'a Asker<'a>) -> Self {
        Self {
            program,
            asker,
            found: Vec::new(),
        }
    }

    /// In the order in which the code would bind them. A function runs later than what stands below it.
    fn sorted(mut self) -> Vec<LiveGiven> {
        self.found.sort_by_key(|(turn, ..)| *turn);
        self.found.into_iter().map(|(.., given)| given).collect()
    }

    /// Adds `self.name`, where that is how `expression` begins and a method of a class of the program assigns it. False for all
    /// others, and where the session has that instance.
    fn add_attribute(&mut self, spot: Spot, expression: &str) -> bool {
        let (program, model) = (self.program, &self.program.model);
        let mut words = expression.split(|char| !is_word(char));
        let (Some(owner), Some(name)) = (words.next(), words.next()) else {
            return false;
        };
        let full = format!("{owner}.{name}");
        if name.is_empty() || !expression.starts_with(&full) {
            return false;
        }
        let is_local = model
            .lookup(spot.scope, owner)
            .is_some_and(|id| self.is_local(id));
        if !is_local && self.asker.snapshot.name(owner).is_some() {
            return false;
        }
        let assigned = model
            .class_of(spot, owner)
            .into_iter()
            .flat_map(|class| model.assigned(class, name))
            .filter_map(|it| Some((it.range.start(), it.origin?)));
        // `None` stands for what is not there yet, or not any more.
        let says = |text: &str| text != "None" && text.len() <= LONGEST;
        let Some((at, origin)) = assigned
            .into_iter()
            .find(|(_, origin)| says(program.text(origin.text)))
        else {
            return false;
        };
        let Some(how) = live(origin.how) else {
            return false;
        };
        let given = LiveGiven {
            name: full,
            text: program.text(origin.text).to_owned(),
            how,
            places: origin.places.into_iter().flatten().collect(),
            before: true,
        };
        self.push(at, origin.text.start(), None, given);
        true
    }

    fn is_local(&self, id: SymbolId) -> bool {
        let model = &self.program.model;
        let home = model.symbol(id).and_then(|symbol| model.scope(symbol.scope));
        home.is_some_and(|scope| scope.kind != ScopeKind::Module)
    }

    /// Adds `name` as it is read at `spot`, with what it needs; `turn` is that of what needs it. False when nobody can tell what it is
    /// there.
    fn add(&mut self, spot: Spot, name: &str, turn: Option<Turn>) -> bool {
        let (program, model) = (self.program, &self.program.model);
        let Some((id, symbol)) = model
            .lookup(spot.scope, name)
            .and_then(|id| Some((id, model.symbol(id)?)))
        else {
            return true;
        };
        let is_local = self.is_local(id);
        let Some(binding) = bound(program, spot, symbol) else {
            return !is_local;
        };
        let is_outdated = || {
            let shown = shown_type(program, spot, name);
            let known = self.asker.snapshot.name(name);
            shown
                .zip(known)
                .is_some_and(|(shown, known)| shown != known.type_name)
        };
        let before = is_local || is_outdated();
        if !before && self.asker.snapshot.name(name).is_some() {
            return true;
        }
        let at = binding.name.start();
        if let Some((_, _, given)) = self.found.iter().find(|(_, known, _)| *known == at) {
            return !given.text.is_empty();
        }
        let source = imported(binding)
            .map(|text| (at, text, LiveHow::Imported))
            .or_else(|| source(program, binding).map(|(at, text, how)| (at, text.to_owned(), how)))
            .filter(|(_, text, _)| text.len() <= LONGEST && self.found.len() < MOST);
        let Some((place, text, how)) = source else {
            if before {
                let turn = Turn::new(at, turn);
                self.found.push((turn, at, nobody(name)));
            }
            return !is_local;
        };
        let given = LiveGiven {
            name: name.to_owned(),
            text,
            how,
            places: binding
                .origin
                .map(|it| it.places)
                .unwrap_or_default()
                .into_iter()
                .flatten()
                .collect(),
            before,
        };
        self.push(at, place, turn, given);
        true
    }

    /// Adds a name that is bound at `at` to a text at `place`, and what that needs.
    fn push(&mut self, at: TextSize, place: TextSize, turn: Option<Turn>, given: LiveGiven) {
        let turn = Turn::new(at, turn);
        let needed = match given.how {
            LiveHow::Imported => String::new(),
            _ => given.text.clone(),
        };
        self.found.push((turn, at, given));
        // A text is read where it stands, before the name has its value.
        let above = Spot {
            scope: self
                .program
                .model
                .scope_at(&self.program.source, place.to_usize()),
            until: Some(at.min(place)),
        };
        for needed in names_of(&needed) {
            self.add(above, needed, Some(turn));
        }
    }
}

impl Turn {
    fn new(at: TextSize, of: Option<Self>) -> Self {
        match of {
            Some(of) => Self {
                at: at.min(of.at),
                depth: std::cmp::Reverse(of.depth.0 + 1),
            },
            None => Self {
                at,
                depth: std::cmp::Reverse(0),
            },
        }
    }
}

/// A name that hides the session's, and of which nobody knows what it is.
fn nobody(name: &str) -> LiveGiven {
    LiveGiven {
        name: name.to_owned(),
        text: String::new(),
        how: LiveHow::Assigned,
        places: Vec::new(),
        before: true,
    }
}

/// The binding that says what a name is at `spot`: an operator leaves it what it was. None where it is bound below only, by code that
/// runs in this order.
fn bound<'p>(program: &Program, spot: Spot, symbol: &'p Symbol) -> Option<&'p Binding> {
    let is_augmented = |it: &Binding| it.origin.is_some_and(|origin| origin.how == How::Augmented);
    let binding = program.model.binding(spot, symbol)?;
    let start = binding.name.start();
    let runs_here = symbol.scope == spot.scope
        && program
            .model
            .scope(spot.scope)
            .is_some_and(|scope| scope.kind != ScopeKind::Comprehension);
    if runs_here && spot.until.is_some_and(|until| until <= start) {
        return None;
    }
    if !is_augmented(binding) {
        return Some(binding);
    }
    let mut above = symbol.bindings.iter().rev();
    above.find(|it| it.name.start() < start && !is_augmented(it))
}

/// What an import binds, as [`LiveHow::Imported`] has it. From where a relative one is seen, the session does not know.
fn imported(binding: &Binding) -> Option<String> {
    match &binding.kind {
        BindingKind::Import { module } => Some(module.to_string()),
        BindingKind::FromImport { module, member } if !module.starts_with('.') => {
            Some(format!("{module}:{member}"))
        }
        _ => None,
    }
}

/// The text that says what a binding binds, with where it stands, and how.
fn source<'p>(program: &'p Program, binding: &Binding) -> Option<(TextSize, &'p str, LiveHow)> {
    /// What says of a value no more than that there is one.
    const OPEN: [&str; 3] = ["Any", "Final", "object"];
    let annotation = binding
        .signature
        .map(|range| (range.start(), program.text(range)));
    let says = |text: &str| text.rsplit('.').next().is_some_and(|last| !OPEN.contains(&last));
    match &binding.kind {
        // `*args: int` is a tuple of these.
        BindingKind::Parameter => {
            let before = program.source.get(..binding.name.start().to_usize())?;
            let (at, text) = annotation.filter(|_| !before.ends_with('*'))?;
            return Some((at, text, LiveHow::Annotated));
        }
        BindingKind::Variable => {
            if let Some((at, text)) = annotation.filter(|(_, text)| says(text)) {
                return Some((at, text, LiveHow::Annotated));
            }
        }
        BindingKind::Function => {
            // A decorator may make something else of it, and `async` does.
            let head = TextRange::new(binding.whole.start(), binding.name.start());
            let is_plain = program.text(head).trim_end() == "def";
            let returned = describe::returned(program, binding).filter(|_| is_plain)?;
            return Some((binding.name.start(), returned, LiveHow::Returns));
        }
        _ => {}
    }
    let origin = binding.origin?;
    Some((origin.text.start(), program.text(origin.text), live(origin.how)?))
}

/// How the session is told of it; an operator tells nothing.
fn live(how: How) -> Option<LiveHow> {
    match how {
        How::Assigned => Some(LiveHow::Assigned),
        How::Iterated => Some(LiveHow::Iterated),
        How::Entered => Some(LiveHow::Entered),
        How::Augmented => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lsp::live::{LiveItem, Snapshot};

    /// What goes with a question about `expression` at the end of `code`, as lines; the session has `df`, `n`, which is a number, and `held`.
    fn given(code: &str, expression: &str) -> Option<String> {
        let item = |name: &str, type_name: &str| LiveItem {
            name: name.into(),
            type_name: type_name.into(),
            ..LiveItem::default()
        };
        let asker = Asker::from_snapshot(Arc::new(Snapshot {
            names: vec![item("df", "DataFrame"), item("n", "int"), item("held", "A")],
            ..Snapshot::default()
        }));
        let program = Program::plain(code);
        // Where the expression stands that is asked about, or at the end.
        let lines = code.lines().scan(0, |start, line| {
            *start += line.len() + 1;
            Some((*start - 1, line.trim_start()))
        });
        let stands = lines
            .filter(|(_, line)| *line == expression)
            .map(|(end, _)| end)
            .last();
        let found = of(
            &program,
            program.spot(stands.unwrap_or(code.len())),
            expression,
            &asker,
        )?;
        let lines = found.into_iter().map(|it| {
            let how = match it.how {
                LiveHow::Assigned => "=",
                LiveHow::Iterated => "in",
                LiveHow::Entered => "as",
                LiveHow::Annotated => ":",
                LiveHow::Returns => "->",
                LiveHow::Imported => "from",
            };
            let places: String = it.places.iter().map(|place| format!("[{place}]")).collect();
            let before = if it.before { "!" } else { "" };
            format!("{before}{}{places} {how} {}", it.name, it.text)
        });
        Some(lines.collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn what_has_not_run_goes_with_the_question() {
        for (code, expression, expected) in [
            ("x", "x", Some("")),
            ("df2 = df.copy()\ndf2", "df2", Some("df2 = df.copy()")),
            (
                "df2 = df.copy()\ndf2",
                "df2.groupby('a')",
                Some("df2 = df.copy()"),
            ),
            ("a = df\nb = a.head()\nb", "b", Some("a = df; b = a.head()")),
            ("a = df\na = a[a.x > 1]\na", "a", Some("a = df; a = a[a.x > 1]")),
            ("a = 1\nb = a\na = 2\nb", "b + a", Some("a = 1; b = a; a = 2")),
            ("t = 1\nt += df\nt", "t", Some("t = 1")),
            ("(y := df.head())\ny", "y", Some("y = df.head()")),
            ("y = (df\n .head())\ny", "y", Some("y = df\n .head()")),
            // The session's own is better than what the text says of it.
            ("df = df.head()\ndf", "df", Some("")),
            ("n = 2\nn", "n", Some("")),
            ("mask = df.a > 1\ndf[mask]", "df[mask]", Some("mask = df.a > 1")),
            // But not where the text is surely newer.
            ("n = 'text'\nn", "n", None),
            (
                "n = 'text'\nm = n.upper()\nm",
                "m",
                Some("!n = 'text'; m = n.upper()"),
            ),
            (
                "fig, ax = plt.subplots()\nax",
                "ax",
                Some("ax[1] = plt.subplots()"),
            ),
            ("for i, (k, v) in d: k", "k", Some("k[1][0] in d")),
            ("for x in df.columns: x", "x", Some("x in df.columns")),
            ("with open('a') as f: f", "f", Some("f as open('a')")),
            ("a, *b, c = df\nc", "c", Some("")),
            ("files = !ls\nfiles", "files", Some("")),
            ("df: Table\ndf", "df", Some("")),
            ("o: Table = f()\no", "o", Some("o : Table")),
            // Local variables hide the session's.
            ("def f(df): df", "df", None),
            ("def f(df): x = df.head(); x", "x", Some("!df = ; !x = df.head()")),
            ("def f(d: Table): x = d.a; x", "x", Some("!d : Table; !x = d.a")),
            ("def f(*d: Table): d", "d", None),
            ("def f():\n  x = df.a\n  x", "x", Some("!x = df.a")),
            ("[r for r in df]; [r", "r", Some("")),
            ("import a\na", "a", Some("a from a")),
            ("import a.b\na.b", "a.b", Some("a from a")),
            ("import a.b as c\nc", "c", Some("c from a.b")),
            ("from a.b import c as d\nd", "d", Some("d from a.b:c")),
            ("from .a import c\nc", "c", Some("")),
            (
                "from a import df as t\nx = t.copy()\nx",
                "x",
                Some("t from a:df; x = t.copy()"),
            ),
            // What is imported goes by its own name there, whatever that is here.
            ("df2 = df\nimport df2.b as c\nc", "c", Some("c from df2.b")),
            ("def f():\n  import a\n  a", "a", Some("!a from a")),
            ("import df\ndf", "df", Some("")),
            ("def g(): ...\ng", "g", Some("")),
            ("def g() -> Table: ...\ng", "g", Some("g -> Table")),
            (
                "def g() -> Table: ...\nx = g()\nx",
                "x",
                Some("g -> Table; x = g()"),
            ),
            ("def f():\n  def g() -> Table: ...\n  g", "g", Some("!g -> Table")),
            (
                "class A:\n  def a(self, n): self.d = df.head()\n  def b(self): self.d",
                "self.d['x']",
                Some("!self.d = df.head()"),
            ),
            (
                "class A:\n  def a(self, n: Table): self.d = n.x\n  def b(self): self.d",
                "self.d",
                Some("!n : Table; !self.d = n.x"),
            ),
            (
                "class A:\n  def a(self): self.d += 1\n  def b(self): self.d",
                "self.d",
                None,
            ),
            (
                "class A:\n  def a(self, n): self.d = df\na = A()\na",
                "a.d",
                Some("!a.d = df"),
            ),
            // The first that says something.
            (
                "class A:\n  def a(self): self.d = None\n  def b(self): self.d\n  def c(self): self.d = df.head()",
                "self.d",
                Some("!self.d = df.head()"),
            ),
            (
                "class A:\n  def a(self): self.size = 1\nheld = A()\nheld",
                "held.size",
                Some(""),
            ),
            // Where the text stands, not where the name belongs.
            (
                "def f(df):\n  global x\n  x = df.a\n  x",
                "x",
                Some("!df = ; x = df.a"),
            ),
            (
                "def f():\n  y = data.a\n  y\ndata = df.copy()",
                "y",
                Some("data = df.copy(); !y = data.a"),
            ),
            ("x\nx = df.head()", "x", Some("")),
            ("o: Final = df.head()\no", "o", Some("o = df.head()")),
            ("async def g() -> Table: ...\ng", "g", Some("")),
        ] {
            assert_eq!(given(code, expression).as_deref(), expected, "{code}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let chain: String = (0..100).map(|at| format!("a{} = a{at}\n", at + 1)).collect();
        let found = given(&format!("{chain}a100"), "a100").unwrap_or_default();
        assert_eq!(found.split("; ").count(), MOST);
        assert_eq!(
            given(&format!("a = '{}'\na", "x".repeat(LONGEST)), "a").as_deref(),
            Some("")
        );
    }

    #[test]
    fn names_of_expressions() {
        assert_eq!(names_of("a.b(c, d=e[0])[f].g"), ["a", "c", "d", "e", "f"]);
        assert_eq!(names_of("x if y else 1.5"), ["x", "y"]);
    }
}
