//! What a client's conversation knows: its documents, what the client can do, and whether the interpreter answers.
//!
//! Owned by the connection's worker thread. Requests are dispatched in [`super::requests`]; notifications here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lsp_server::{ErrorCode, RequestId, Response};
use lsp_types::{
    DidChangeNotebookDocumentParams, DidChangeTextDocumentParams, DidCloseNotebookDocumentParams,
    DidCloseTextDocumentParams, DidOpenNotebookDocumentParams, DidOpenTextDocumentParams, Position, Uri,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Options;
use super::analysis::Program;
use super::configuration::Configuration;
use super::documents::Documents;
use super::documents::notebook::Notebook;
use super::documents::text::Encoding;
use super::engine::Asker;
use super::index::Index;
use super::link::{Failure, Link, Reply, reply};
use super::live::Snapshot;
use super::requests;
use super::types::{Asked, Pace, Types};
use crate::options::Checker;

/// After the interpreter did not answer in time, it is left alone for this long: one request in many pays the
/// budget, the others are answered from the snapshot at once.
pub const LEFT_ALONE: Duration = Duration::from_millis(300);

/// A request's answer, now or from a thread of its own.
pub enum Answer {
    /// The result.
    Now(Reply),
    /// Work that may take long and needs nothing of the session.
    Later(requests::Job),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Fresh,
    Running,
    ShutDown,
}

/// One client's conversation.
pub struct Session {
    /// What is open.
    pub documents: Documents,
    /// How the server is set up.
    pub options: Options,
    /// What the client has chosen.
    pub configuration: Configuration,
    /// Whether the request in hand was cancelled.
    pub cancelled: Arc<AtomicBool>,
    /// Where the last list of candidates was asked for.
    pub completed_at: Option<(Uri, Position)>,
    link: Arc<Link>,
    stage: Stage,
    left_alone_until: Option<Instant>,
    seen: Arc<Snapshot>,
    /// What the client has said at the beginning; its settings are read on top of it.
    initial: Configuration,
    client: Client,
    /// How many questions the client was asked, and the one for its settings that is open.
    questions: u64,
    settings: Option<RequestId>,
    /// Diagnostics of this server are shown.
    published: bool,
    /// Kept for as long as the client is connected.
    index: Option<Arc<Index>>,
}

/// What a client can be asked.
#[derive(Debug, Clone, Copy, Default)]
struct Client {
    settings: bool,
    registration: bool,
    refresh: bool,
}

impl Client {
    fn of(params: &Value) -> Self {
        let can = |what: &str| {
            let known = params.pointer(&format!("/capabilities/workspace/{what}"));
            known.and_then(Value::as_bool).unwrap_or_default()
        };
        Self {
            settings: can("configuration"),
            registration: can("didChangeConfiguration/dynamicRegistration"),
            refresh: can("inlayHint/refreshSupport"),
        }
    }
}

impl Session {
    /// A conversation in which nothing was said.
    pub fn new(options: Options, link: Arc<Link>) -> Self {
        Self {
            documents: Documents::default(),
            seen: options
                .live
                .as_ref()
                .map(|live| live.snapshot())
                .unwrap_or_else(|| {
                    Arc::new(Snapshot {
                        path: options.path.clone(),
                        ..Snapshot::default()
                    })
                }),
            options,
            configuration: Configuration::default(),
            cancelled: Arc::default(),
            completed_at: None,
            link,
            stage: Stage::Fresh,
            left_alone_until: None,
            initial: Configuration::default(),
            client: Client::default(),
            questions: 0,
            settings: None,
            published: false,
            index: None,
        }
    }

    /// True once the client asked for `shutdown`.
    pub fn is_shut_down(&self) -> bool {
        self.stage == Stage::ShutDown
    }

    /// True when the client does not want the answer to the request in hand any more.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// All programs of what is open, each once.
    ///
    /// # Errors
    /// When the request is cancelled meanwhile: to parse them all may take long.
    pub fn programs(&mut self) -> Result<Vec<Arc<Program>>, Failure> {
        let mut programs = Vec::new();
        for uri in self.documents.members() {
            if self.is_cancelled() {
                return Err(Failure::cancelled());
            }
            programs.extend(self.documents.program(&uri));
        }
        Ok(programs)
    }

    /// Answers a request.
    pub fn request(&mut self, method: &str, params: Value) -> Answer {
        let refused = |code, message: &str| Answer::Now(Err(Failure::new(code, message)));
        match (self.stage, method) {
            (Stage::Fresh, "initialize") => {
                self.stage = Stage::Running;
                self.documents.encoding = offered_encoding(&params);
                self.client = Client::of(&params);
                let (chosen, wrong) = Configuration::of_client(&params);
                self.initial = chosen.clone();
                self.configure(chosen, &wrong);
                match self.configuration.types {
                    // Off is for this client alone; any other is the choice of the kernel, which has one.
                    Some(Checker::Off) => {
                        self.options.types = Types::new(Checker::Off, Vec::new(), Pace::default());
                    }
                    Some(checker) => self.options.types.choose(checker),
                    None => {}
                }
                let root = params
                    .pointer("/workspaceFolders/0/uri")
                    .or_else(|| params.get("rootUri"))
                    .and_then(Value::as_str);
                self.options.types.hear(&self.link, root);
                let announce = self.configuration.announce;
                Answer::Now(reply(&requests::initialize::result(
                    self.documents.encoding,
                    announce,
                )))
            }
            (Stage::Fresh, _) => refused(ErrorCode::ServerNotInitialized, "initialize has not been sent"),
            (_, "initialize") => refused(ErrorCode::InvalidRequest, "initialized already"),
            (Stage::Running, "shutdown") => {
                self.stage = Stage::ShutDown;
                Answer::Now(reply(&Value::Null))
            }
            (Stage::Running, _) => requests::dispatch(self, method, params),
            (Stage::ShutDown, _) => refused(ErrorCode::InvalidRequest, "shutdown has been sent"),
        }
    }

    /// Takes a notification. What is wrong with it is told to the client's log.
    pub fn notified(&mut self, method: &str, params: Value) {
        if self.stage != Stage::Running {
            return;
        }
        let result = match method {
            "textDocument/didOpen" => self.with(params, Self::open),
            "textDocument/didChange" => self.with(params, Self::change),
            "textDocument/didClose" => self.with(params, |session, it: DidCloseTextDocumentParams| {
                session.close(&it.text_document.uri);
                Ok(())
            }),
            "notebookDocument/didOpen" => self.with(params, Self::open_notebook),
            "notebookDocument/didChange" => self.with(params, Self::change_notebook),
            "notebookDocument/didClose" => {
                self.with(params, |session, it: DidCloseNotebookDocumentParams| {
                    for cell in it.cell_text_documents {
                        session.close(&cell.uri);
                    }
                    session.documents.close_notebook(&it.notebook_document.uri);
                    Ok(())
                })
            }
            "initialized" => {
                self.register();
                self.ask_settings();
                self.warm_index();
                Ok(())
            }
            "workspace/didChangeConfiguration" => {
                match params.pointer("/settings/drupe") {
                    Some(settings) => self.settings_came(settings),
                    None => self.ask_settings(),
                }
                Ok(())
            }
            // Saving, tracing and progress change nothing here.
            _ => Ok(()),
        };
        if let Err(failure) = result {
            self.log(2, &format!("{method}: {failure}"));
        }
    }

    /// True when something was edited whose diagnostics are not published.
    pub fn has_changes(&self) -> bool {
        self.stage == Stage::Running && self.documents.has_changes()
    }

    /// Uses a quiet moment: publishes the diagnostics of what changed and drops what is outdated, until `is_over` says
    /// that there is work.
    pub fn quiet(&mut self, is_over: impl Fn() -> bool) {
        if self.stage != Stage::Running {
            return;
        }
        let snapshot = self.snapshot();
        if !Arc::ptr_eq(&snapshot, &self.seen) {
            self.seen = snapshot;
            self.documents.touch_all();
            self.refresh_hints();
        }
        let wanted = self.configuration.diagnostics();
        self.published |= wanted;
        while let Some(root) = self.documents.next_changed() {
            // Where none are wanted any more, those that are shown are taken back.
            let shown = self
                .published
                .then(|| requests::diagnostics::publish(self, &root));
            for mut published in shown.unwrap_or_default() {
                if !wanted {
                    published.diagnostics.clear();
                }
                self.link.notify("textDocument/publishDiagnostics", published);
            }
            if is_over() {
                return;
            }
        }
        self.published = wanted;
        self.documents.tidy();
    }

    /// The session's names after the last cell.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        match &self.options.live {
            Some(live) => live.snapshot(),
            None => Arc::clone(&self.seen),
        }
    }

    /// Lets `work` ask the session, within the budget.
    pub fn asking<T>(&mut self, work: impl FnOnce(&mut Self, &mut Asker) -> T) -> T {
        let alone = self.left_alone_until.is_some_and(|until| Instant::now() < until);
        let live = self.options.live.clone();
        let mut asker = match &live {
            Some(live) if !alone => Asker::new(&**live, self.options.budget),
            _ => Asker::from_snapshot(self.snapshot()),
        };
        asker.busy = alone;
        asker.imports = self.configuration.auto_import;
        self.warm_index();
        let result = work(self, &mut asker);
        if asker.busy && !alone {
            if self.left_alone_until.is_none() {
                self.log(4, "Python is busy: answered from the state after the last cell");
            }
            self.left_alone_until = Some(Instant::now() + LEFT_ALONE);
        } else if !alone {
            self.left_alone_until = None;
        }
        result
    }

    /// A question to the type checker about byte `offset` of a program; it is asked when its answer is waited for, and is
    /// `None` where no checker is wanted.
    pub fn ask_types(
        &mut self,
        method: &'static str,
        program: &Arc<Program>,
        offset: usize,
    ) -> Option<Asked> {
        let asked = self.options.types.question(method, program, offset)?;
        let expression = match program.expression_at(offset) {
            Some((expression, _)) => expression,
            None => program.cursor(offset).calls.into_iter().next()?.callee,
        };
        Some(self.asking(|_, asker| asked.telling(&expression, asker)))
    }

    /// Takes the client's answer to a question; but for its settings there is none that matters.
    pub fn responded(&mut self, response: Response) {
        if self.settings.as_ref() != Some(&response.id) {
            return;
        }
        self.settings = None;
        if let Ok(Value::Array(settings)) = response.response_result {
            self.settings_came(settings.first().unwrap_or(&Value::Null));
        }
    }

    /// Has the names of all modules collected, where they may be offered.
    fn warm_index(&mut self) {
        if self.configuration.auto_import {
            let index = Index::of(&self.snapshot());
            index.warm();
            self.index = Some(index);
        }
    }

    /// Asks to be told when the settings change: some clients tell nobody else.
    fn register(&mut self) {
        if self.client.registration {
            let method = "workspace/didChangeConfiguration";
            let wish = json!({"id": "drupe", "method": method, "registerOptions": {"section": "drupe"}});
            self.ask_client("client/registerCapability", json!({"registrations": [wish]}));
        }
    }

    fn ask_settings(&mut self) {
        if self.client.settings {
            let items = json!({"items": [{"section": "drupe"}]});
            self.settings = Some(self.ask_client("workspace/configuration", items));
        }
    }

    fn settings_came(&mut self, settings: &Value) {
        let (chosen, wrong) = self.initial.with(settings, "settings");
        self.configure(chosen, &wrong);
    }

    fn configure(&mut self, chosen: Configuration, wrong: &[String]) {
        for sentence in wrong {
            tracing::warn!("{sentence}");
            self.log(2, sentence);
        }
        let before = std::mem::replace(&mut self.configuration, chosen);
        if before.diagnostics() != self.configuration.diagnostics() {
            self.documents.touch_all();
        }
        if before.inlay_hints != self.configuration.inlay_hints {
            self.refresh_hints();
        }
    }

    /// Has the client ask for its inlay hints again: the session has other types.
    fn refresh_hints(&mut self) {
        if self.client.refresh {
            self.ask_client("workspace/inlayHint/refresh", Value::Null);
        }
    }

    fn ask_client(&mut self, method: &str, params: Value) -> RequestId {
        self.questions += 1;
        let id = RequestId::from(format!("drupe-{}", self.questions));
        self.link.ask(id.clone(), method, params);
        id
    }

    /// Writes to the client's log: 1 error, 2 warning, 3 information, 4 log.
    pub fn log(&self, level: u8, message: &str) {
        self.link
            .notify("window/logMessage", json!({"type": level, "message": message}));
    }

    fn with<P: DeserializeOwned>(
        &mut self,
        params: Value,
        handler: impl FnOnce(&mut Self, P) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let params = serde_json::from_value(params)
            .map_err(|error| Failure::new(ErrorCode::InvalidParams, error.to_string()))?;
        handler(self, params)
    }

    fn open(&mut self, params: DidOpenTextDocumentParams) -> Result<(), Failure> {
        let document = params.text_document;
        self.documents
            .open(document.uri, document.text, document.version, None)
    }

    fn change(&mut self, params: DidChangeTextDocumentParams) -> Result<(), Failure> {
        let document = params.text_document;
        self.documents.change(
            &document.text_document_identifier.uri,
            document.version,
            params.content_changes,
        )
    }

    fn close(&mut self, uri: &Uri) {
        self.documents.close(uri);
        self.link.notify(
            "textDocument/publishDiagnostics",
            json!({"uri": uri, "diagnostics": []}),
        );
    }

    fn open_notebook(&mut self, params: DidOpenNotebookDocumentParams) -> Result<(), Failure> {
        let uri = params.notebook_document.uri;
        let cells = params.notebook_document.cells;
        self.documents.set_notebook(uri.clone(), Notebook::new(cells));
        for cell in params.cell_text_documents {
            self.documents
                .open(cell.uri, cell.text, cell.version, Some(uri.clone()))?;
        }
        Ok(())
    }

    fn change_notebook(&mut self, params: DidChangeNotebookDocumentParams) -> Result<(), Failure> {
        let uri = params.notebook_document.uri;
        self.documents.notebook_mut(&uri)?;
        let Some(cells) = params.change.cells else {
            return Ok(());
        };
        if let Some(structure) = cells.structure {
            self.documents.notebook_mut(&uri)?.splice(structure.array);
            for cell in structure.did_open.unwrap_or_default() {
                self.documents
                    .open(cell.uri, cell.text, cell.version, Some(uri.clone()))?;
            }
            for cell in structure.did_close.unwrap_or_default() {
                self.close(&cell.uri);
            }
        }
        if let Some(data) = cells.data {
            self.documents.notebook_mut(&uri)?.update(data);
        }
        for change in cells.text_content.unwrap_or_default() {
            self.documents.change(
                &change.document.text_document_identifier.uri,
                change.document.version,
                change.changes,
            )?;
        }
        Ok(())
    }
}

fn offered_encoding(params: &Value) -> Encoding {
    let offered = params.pointer("/capabilities/general/positionEncodings");
    let names = offered.and_then(Value::as_array).into_iter().flatten();
    Encoding::negotiate(names.filter_map(Value::as_str))
}
