//! The open documents and notebooks of one client, and their programs, parsed when first asked for.
//!
//! Owned by a session and used on its worker thread only. What a client says about its documents may be wrong:
//! an unknown document is an error reply, a wrong range is clamped, and nothing is kept without bound.

pub mod notebook;
pub mod text;
pub mod uri;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use lsp_server::ErrorCode;
use lsp_types::{Location, Position, Range, TextDocumentContentChangeEvent, Uri};
use ruff_text_size::TextRange;

use super::analysis::Program;
use super::link::Failure;
use notebook::Notebook;
use text::{Encoding, Text};

/// All open texts together hold at most this many bytes.
pub const MAX_BYTES: usize = 256 * 1024 * 1024;
/// At most this many documents are open.
pub const MAX_DOCUMENTS: usize = 10_000;

/// One open text document or notebook cell.
#[derive(Debug)]
pub struct Document {
    /// Its text.
    pub text: Text,
    /// The version as the client counts.
    pub version: i32,
    /// The notebook that it is a cell of.
    pub notebook: Option<Uri>,
    /// The version that diagnostics were last told for, and whether there were none.
    told: Option<(i32, bool)>,
}

/// Everything that a client has open.
#[derive(Debug, Default)]
pub struct Documents {
    /// How the client counts characters.
    pub encoding: Encoding,
    texts: HashMap<Uri, Document>,
    notebooks: HashMap<Uri, Notebook>,
    programs: HashMap<Uri, Arc<Program>>,
    /// The programs from before the last edits: to drop one takes long, so it waits until nobody does, and
    /// what follows is parsed with its help.
    retired: HashMap<Uri, Arc<Program>>,
    changed: BTreeSet<String>,
    bytes: usize,
}

impl Documents {
    /// Opens a document, or replaces it.
    ///
    /// # Errors
    /// When the limits on what is kept are reached.
    pub fn open(
        &mut self,
        uri: Uri,
        text: String,
        version: i32,
        notebook: Option<Uri>,
    ) -> Result<(), Failure> {
        self.close(&uri);
        if self.bytes + text.len() > MAX_BYTES || self.texts.len() >= MAX_DOCUMENTS {
            return Err(Failure::failed(format!(
                "{} is not opened: more than {MAX_DOCUMENTS} documents or {MAX_BYTES} bytes are open",
                uri.0
            )));
        }
        self.bytes += text.len();
        self.touch(notebook.as_ref().unwrap_or(&uri).clone());
        let document = Document {
            text: Text::new(text),
            version,
            notebook,
            told: None,
        };
        self.texts.insert(uri, document);
        Ok(())
    }

    /// Closes a document; one that is not open is no matter.
    pub fn close(&mut self, uri: &Uri) {
        if let Some(document) = self.texts.remove(uri) {
            self.bytes -= document.text.as_str().len();
            self.touch(document.notebook.unwrap_or_else(|| uri.clone()));
        }
    }

    /// Applies edits in order.
    ///
    /// # Errors
    /// When the document is not open, or an edit would exceed the limits.
    pub fn change(
        &mut self,
        uri: &Uri,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) -> Result<(), Failure> {
        let encoding = self.encoding;
        let Some(document) = self.texts.get_mut(uri) else {
            return Err(unknown(uri));
        };
        document.version = version;
        let root = document.notebook.clone().unwrap_or_else(|| uri.clone());
        let mut result = Ok(());
        for change in changes {
            let before = document.text.as_str().len();
            let (range, new) = match change {
                TextDocumentContentChangeEvent::TextDocumentContentChangePartial(change) => {
                    (Some(change.range), change.text)
                }
                TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(change) => {
                    (None, change.text)
                }
            };
            if self.bytes + new.len() > MAX_BYTES {
                result = Err(Failure::failed(format!("{} is too large", uri.0)));
                break;
            }
            match range {
                Some(range) => document.text.edit(range, &new, encoding),
                None => document.text = Text::new(new),
            }
            self.bytes = self.bytes + document.text.as_str().len() - before;
        }
        self.touch(root);
        result
    }

    /// The program of a document: its own, or that of its notebook.
    ///
    /// # Errors
    /// When the document is not open.
    pub fn program(&mut self, uri: &Uri) -> Result<Arc<Program>, Failure> {
        let document = self.texts.get(uri).ok_or_else(|| unknown(uri))?;
        let root = document.notebook.clone().unwrap_or_else(|| uri.clone());
        if let Some(program) = self.programs.get(&root) {
            return Ok(Arc::clone(program));
        }
        let cells = match &document.notebook {
            Some(notebook) => self
                .notebooks
                .get(notebook)
                .map(Notebook::code_cells)
                .unwrap_or_default(),
            None => Vec::new(),
        };
        // A cell outside of its notebook's list (markup, or a client's mistake) is a program of its own, not kept.
        let outside = document.notebook.is_some() && !cells.contains(uri);
        let cells = match outside || cells.is_empty() {
            true => vec![uri.clone()],
            false => cells,
        };
        let texts = cells.into_iter().filter_map(|cell| {
            let text = self.texts.get(&cell)?.text.as_str();
            Some((cell, text))
        });
        let plain_python = uri.0.starts_with("file:") && uri.0.ends_with(".py");
        let before = self.retired.get(&root).map(Arc::as_ref);
        let program = Arc::new(Program::parse_again(before, texts, !plain_python));
        if !outside {
            self.programs.insert(root, Arc::clone(&program));
        }
        Ok(program)
    }

    /// One document of each program, in order of their names.
    pub fn members(&self) -> Vec<Uri> {
        let mut roots: HashMap<Uri, Uri> = HashMap::new();
        for (uri, document) in &self.texts {
            let root = document.notebook.clone().unwrap_or_else(|| uri.clone());
            roots.entry(root).or_insert_with(|| uri.clone());
        }
        let mut members: Vec<Uri> = roots.into_values().collect();
        members.sort_by(|left, right| left.0.cmp(&right.0));
        members
    }

    /// The program and the byte offset in it of a position in a document.
    ///
    /// # Errors
    /// When the document is not open.
    pub fn locate(&mut self, uri: &Uri, position: Position) -> Result<(Arc<Program>, usize), Failure> {
        let program = self.program(uri)?;
        let document = self.texts.get(uri).ok_or_else(|| unknown(uri))?;
        let start = program
            .parts
            .iter()
            .find(|part| part.uri == *uri)
            .map_or(0, |part| part.start);
        Ok((program, start + document.text.offset(position, self.encoding)))
    }

    /// Where `range` of a program stands for the client.
    pub fn location(&self, program: &Program, range: TextRange) -> Option<Location> {
        let part = program.parts.get(program.part_at(range.start().to_usize()))?;
        let text = &self.texts.get(&part.uri)?.text;
        let position =
            |offset: usize| text.position(offset.min(part.end).saturating_sub(part.start), self.encoding);
        Some(Location {
            uri: part.uri.clone(),
            range: Range {
                start: position(range.start().to_usize()),
                end: position(range.end().to_usize()),
            },
        })
    }

    /// As [`Documents::location`], for a range that must stand in document `uri`.
    pub fn range_in(&self, uri: &Uri, program: &Program, range: TextRange) -> Option<Range> {
        let location = self.location(program, range)?;
        (location.uri == *uri).then_some(location.range)
    }

    /// A document.
    ///
    /// # Errors
    /// When it is not open.
    pub fn document(&self, uri: &Uri) -> Result<&Document, Failure> {
        self.texts.get(uri).ok_or_else(|| unknown(uri))
    }

    /// Opens or replaces a notebook's list of cells.
    pub fn set_notebook(&mut self, uri: Uri, notebook: Notebook) {
        self.touch(uri.clone());
        self.notebooks.insert(uri, notebook);
    }

    /// A notebook's list of cells, to be changed.
    ///
    /// # Errors
    /// When it is not open.
    pub fn notebook_mut(&mut self, uri: &Uri) -> Result<&mut Notebook, Failure> {
        self.touch(uri.clone());
        self.notebooks.get_mut(uri).ok_or_else(|| unknown(uri))
    }

    /// Closes a notebook and all its cells.
    pub fn close_notebook(&mut self, uri: &Uri) {
        self.notebooks.remove(uri);
        let cells: Vec<Uri> = self
            .texts
            .iter()
            .filter(|(_, document)| document.notebook.as_ref() == Some(uri))
            .map(|(uri, _)| uri.clone())
            .collect();
        for cell in cells {
            self.close(&cell);
        }
        self.touch(uri.clone());
    }

    /// Notes that diagnostics of a document, or that there are none, are told now. False when that would be no news: an
    /// edit in one cell of a long notebook says nothing of the others.
    pub fn tell(&mut self, uri: &Uri, is_empty: bool) -> bool {
        let Some(document) = self.texts.get_mut(uri) else {
            return false;
        };
        let told = document.told.replace((document.version, is_empty));
        !is_empty || told != document.told
    }

    /// True when [`Documents::next_changed`] has something.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// One of the roots (documents and notebooks) that changed since it was last given.
    pub fn next_changed(&mut self) -> Option<Uri> {
        self.changed.pop_first().map(Uri)
    }

    /// Marks everything as changed: the session's names did.
    pub fn touch_all(&mut self) {
        let roots = self
            .texts
            .iter()
            .map(|(uri, document)| document.notebook.as_ref().unwrap_or(uri));
        self.changed.extend(roots.map(|root| root.0.clone()));
    }

    /// Some open document whose program is `root`'s.
    pub fn member_of(&self, root: &Uri) -> Option<Uri> {
        if self.texts.contains_key(root) {
            return Some(root.clone());
        }
        let cells = self.notebooks.get(root)?.code_cells();
        cells.into_iter().find(|cell| self.texts.contains_key(cell))
    }

    /// Drops the programs from before the last edits: at most one for each document that was edited since the last call.
    pub fn tidy(&mut self) {
        self.retired.clear();
    }

    fn touch(&mut self, root: Uri) {
        if let Some(program) = self.programs.remove(&root) {
            self.retired.insert(root.clone(), program);
        }
        self.changed.insert(root.0);
    }
}

fn unknown(uri: &Uri) -> Failure {
    Failure::new(ErrorCode::InvalidParams, format!("{} is not open", uri.0))
}
