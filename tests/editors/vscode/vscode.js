// A stand-in for the module `vscode`, which only the editor itself has: as much of it as its library of language clients needs to
// run. Documents and notebooks are kept here, and what the library registers is kept to be asked by the tests.
"use strict";

class Disposable {
  constructor(call) { this.call = call; }
  static from(...all) { return new Disposable(() => all.forEach((one) => one.dispose())); }
  dispose() { this.call?.(); }
}

class EventEmitter {
  listeners = new Set();
  event = (listener, self, disposables) => {
    const bound = self ? listener.bind(self) : listener;
    this.listeners.add(bound);
    const disposable = new Disposable(() => this.listeners.delete(bound));
    disposables?.push(disposable);
    return disposable;
  };
  fire(event) { for (const listener of [...this.listeners]) listener(event); }
  dispose() { this.listeners.clear(); }
}

class CancellationTokenSource {
  emitter = new EventEmitter();
  token = { isCancellationRequested: false, onCancellationRequested: this.emitter.event };
  cancel() {
    this.token.isCancellationRequested = true;
    this.emitter.fire();
  }
  dispose() { this.emitter.dispose(); }
}

class Uri {
  constructor(text) {
    this.text = text;
    const { protocol, host, pathname, hash } = new URL(text);
    [this.scheme, this.authority] = [protocol.slice(0, -1), host];
    [this.path, this.fragment] = [decodeURIComponent(pathname), hash.slice(1)];
    this.fsPath = this.path;
  }
  static parse(text) { return new Uri(text); }
  static file(path) { return new Uri(`file://${path}`); }
  with({ scheme }) { return new Uri(this.text.replace(this.scheme, scheme)); }
  toString() { return this.text; }
}

class Position {
  constructor(line, character) { Object.assign(this, { line, character }); }
  isBefore(other) {
    return this.line < other.line || (this.line === other.line && this.character < other.character);
  }
}

class Range {
  constructor(start, end, ...rest) {
    if (rest.length) [start, end] = [new Position(start, end), new Position(...rest)];
    Object.assign(this, { start, end });
  }
}

class MarkdownString {
  constructor(value = "") { this.value = value; }
  appendCodeblock(text) { this.value += text; return this; }
}

// What the library makes of the server's answers: the fields are those of the constructor, in its order.
const made = (...fields) => class {
  constructor(...given) { fields.forEach((field, index) => { this[field] = given[index]; }); }
};

class CodeActionKind {
  constructor(value) { this.value = value; }
  append(more) { return new CodeActionKind(this.value ? `${this.value}.${more}` : more); }
  static Empty = new CodeActionKind("");
  static QuickFix = new CodeActionKind("quickfix");
  static Source = new CodeActionKind("source");
}

class WorkspaceEdit {
  texts = [];
  set(uri, edits) { this.texts.push([uri.toString(), edits]); }
}

class TextDocument {
  version = 1;
  isClosed = false;
  isDirty = false;
  constructor(uri, text, notebook) {
    Object.assign(this, { uri: Uri.parse(uri), text, notebook, languageId: "python" });
  }
  get fileName() { return this.uri.path; }
  getText() { return this.text; }
  offsetAt({ line, character }) {
    const before = this.text.split("\n").slice(0, line);
    return before.reduce((sum, one) => sum + one.length + 1, 0) + character;
  }
  positionAt(offset) {
    const lines = this.text.slice(0, offset).split("\n");
    return new Position(lines.length - 1, lines.at(-1).length);
  }
}

const events = {};
// `onDidOpenTextDocument` and its like: an event of that name, which is fired by `vscode.events.onDidOpenTextDocument`.
const withEvents = (target) => new Proxy(target, {
  get: (object, name) => {
    if (typeof name !== "string" || !/^on(Did|Will)/.test(name)) return object[name];
    return (events[name] ??= new EventEmitter()).event;
  },
});
const fire = (name, event) => events[name]?.fire(event);

const settings = {};
const workspace = withEvents({
  textDocuments: [],
  notebookDocuments: [],
  workspaceFolders: undefined,
  getWorkspaceFolder: () => undefined,
  getConfiguration: (section) => {
    const found = section ? settings[section] : settings;
    return Object.assign({ get: (name, other) => found?.[name] ?? other }, found);
  },
  createFileSystemWatcher: () => new Disposable(),
  applyEdit: async () => true,
});

const providers = {};
const diagnostics = {};
const languages = new Proxy({
  match: (selector, document) => {
    const fits = (filter) => typeof filter === "string"
      ? ["*", document.languageId].includes(filter)
      : (!filter.language || filter.language === document.languageId)
        && (!filter.scheme || filter.scheme === document.uri.scheme)
        && (!filter.notebookType || (document.notebook
          && ["*", document.notebook.notebookType].includes(filter.notebookType)));
    return [selector].flat().some(fits) ? 10 : 0;
  },
  createDiagnosticCollection: () => ({
    set: (uri, found) => { diagnostics[uri.toString()] = found; },
    delete: (uri) => { delete diagnostics[uri.toString()]; },
    clear() {},
    dispose() {},
  }),
}, {
  // `registerHoverProvider` and its like: the provider is kept as `providers.Hover`.
  get: (target, name) => target[name] ?? ((_selector, provider, ...more) => {
    const kind = /^register(.*?)s?Provider$/.exec(name)[1];
    providers[kind] = { ...provider, more };
    return new Disposable();
  }),
});

const channel = new Proxy({ name: "drupe" }, { get: (own, name) => own[name] ?? (() => new Disposable()) });
const window = withEvents({
  visibleTextEditors: [],
  tabGroups: withEvents({ all: [] }),
  createOutputChannel: () => channel,
  showErrorMessage: async (text) => console.error(text),
  showWarningMessage: async (text) => console.error(text),
  showInformationMessage: async () => undefined,
});

// Enumerations, with numbers where the library counts on them.
const numbered = (first, ...names) => Object.fromEntries(
  names.map((name, index) => [name, first + index]),
);

const known = {
  version: "1.106.0",
  Disposable, EventEmitter, CancellationTokenSource, Uri, Position, Range, MarkdownString, WorkspaceEdit,
  CodeActionKind,
  CancellationError: class extends Error {},
  CompletionItem: made("label", "kind"),
  CompletionList: made("items", "isIncomplete"),
  Diagnostic: made("range", "message", "severity"),
  Hover: made("contents", "range"),
  InlayHint: made("position", "label", "kind"),
  Location: made("uri", "range"),
  ParameterInformation: made("label", "documentation"),
  SemanticTokens: made("data", "resultId"),
  SemanticTokensLegend: made("tokenTypes", "tokenModifiers"),
  SignatureInformation: made("label", "documentation"),
  TextEdit: made("range", "newText"),
  NotebookCellKind: numbered(1, "Markup", "Code"),
  DiagnosticSeverity: numbered(0, "Error", "Warning", "Information", "Hint"),
  LogLevel: numbered(0, "Off", "Trace", "Debug", "Info", "Warning", "Error"),
  commands: { registerCommand: () => new Disposable(), executeCommand: async () => undefined },
  env: { appName: "tests", language: "en" },
  workspace, languages, window,
};

// A class or an enumeration of which nothing is wanted but to be there.
const other = (name) => new Proxy(made("value"), {
  get: (target, field) => (field in target || typeof field === "symbol" ? target[field] : `${name}.${field}`),
});

module.exports = new Proxy(known, {
  get: (target, name) => {
    // As a module of the newer form, which is asked for each name when it is needed.
    if (name === "__esModule") return true;
    if (name in target || typeof name === "symbol") return target[name];
    return (target[name] = other(name));
  },
});
Object.assign(known, { TextDocument, providers, diagnostics, settings, fire });
