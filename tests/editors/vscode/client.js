// A language client as an extension of Visual Studio Code has it, connected to a server on a port.
//
//     node client.js PORT SCENE
//
// SCENE is a file with the body of an async function of `editor`; what that returns is printed as JSON.
"use strict";

const fs = require("node:fs");
const Module = require("node:module");
const net = require("node:net");
const path = require("node:path");

const resolve = Module._resolveFilename;
Module._resolveFilename = (name, ...rest) => (
  name === "vscode" ? path.join(__dirname, "vscode.js") : resolve(name, ...rest)
);

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

// What can be imported is found out at the lowest priority: that takes long where others compute.
const PATIENCE = 60000; // ms
const { CancellationTokenSource, Position, Range, TextDocument, fire, providers, workspace } = vscode;

const editor = {
  vscode,
  never: new CancellationTokenSource().token,

  // Tells the test that it may go on with its part.
  ready() { console.log("ready"); },

  async wait(holds) {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const found = await holds();
      if (found || Date.now() > end) return found;
      await new Promise((done) => { setTimeout(done, 20); });
    }
  },

  // Opens a document; `|` is the cursor.
  open(marked, uri = "file:///tmp/editor.py") {
    const document = new TextDocument(uri, marked.replace("|", ""));
    document.cursor = document.positionAt(Math.max(0, marked.indexOf("|")));
    workspace.textDocuments.push(document);
    fire("onDidOpenTextDocument", document);
    return document;
  },

  // Types at the cursor of a document.
  type(document, text) {
    const offset = document.offsetAt(document.cursor);
    const range = new Range(document.cursor, document.cursor);
    document.text = document.text.slice(0, offset) + text + document.text.slice(offset);
    document.version += 1;
    document.cursor = document.positionAt(offset + text.length);
    const change = { range, rangeOffset: offset, rangeLength: 0, text };
    fire("onDidChangeTextDocument", { document, contentChanges: [change], reason: undefined });
  },

  // Opens a notebook with these cells.
  notebook(texts, uri = "file:///tmp/editor.ipynb") {
    const notebook = {
      uri: vscode.Uri.parse(uri), notebookType: "jupyter-notebook", version: 1, metadata: {}, cells: [],
      isClosed: false, isDirty: false, isUntitled: false,
      getCells() { return this.cells; },
      get cellCount() { return this.cells.length; },
    };
    notebook.cells = texts.map((text) => editor.cell(notebook, text));
    workspace.notebookDocuments.push(notebook);
    for (const cell of notebook.cells) fire("onDidOpenTextDocument", cell.document);
    fire("onDidOpenNotebookDocument", notebook);
    return notebook;
  },

  cells: 0,
  cell(notebook, marked) {
    editor.cells += 1;
    const uri = `vscode-notebook-cell:${notebook.uri.path}#W${editor.cells}`;
    const document = new TextDocument(uri, marked.replace("|", ""), notebook);
    document.cursor = document.positionAt(Math.max(0, marked.indexOf("|")));
    workspace.textDocuments.push(document);
    return { kind: vscode.NotebookCellKind.Code, document, notebook, metadata: {}, outputs: [], index: 0 };
  },

  // Puts a cell into a notebook.
  insert(notebook, index, marked) {
    const cell = editor.cell(notebook, marked);
    notebook.cells.splice(index, 0, cell);
    notebook.version += 1;
    fire("onDidOpenTextDocument", cell.document);
    const change = { range: { start: index, end: index }, removedCells: [], addedCells: [cell] };
    fire("onDidChangeNotebookDocument", { notebook, cellChanges: [], contentChanges: [change] });
    return cell;
  },

  async complete(document, token = editor.never, context = { triggerKind: 0 }) {
    const found = await providers.CompletionItem.provideCompletionItems(
      document, document.cursor, token, context,
    );
    return { items: [], ...(Array.isArray(found) ? { items: found } : found) };
  },

  async labels(document) {
    return (await editor.complete(document)).items.map((item) => item.label.label ?? item.label);
  },

  // Those of the first list that says that it is whole: of one for which the session was late, it does not.
  async whole(document) {
    let found;
    await editor.wait(async () => {
      found = await editor.complete(document);
      return !found.isIncomplete;
    });
    return found.items.map((item) => item.label.label ?? item.label);
  },
};

async function main() {
  const [port, scene] = process.argv.slice(2);
  const server = async () => {
    const socket = net.connect(Number(port), "127.0.0.1");
    return { reader: socket, writer: socket };
  };
  editor.client = new LanguageClient("drupe", "drupe", server, {
    documentSelector: [{ scheme: "file", language: "python" }, { scheme: "vscode-notebook-cell", language: "python" }],
    outputChannel: vscode.window.createOutputChannel("drupe"),
    synchronize: { configurationSection: "drupe" },
  });
  await editor.client.start();
  const AsyncFunction = main.constructor;
  const found = await new AsyncFunction("editor", fs.readFileSync(scene, "utf8"))(editor);
  await editor.client.stop();
  console.log(JSON.stringify(found ?? null));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
