//! The list of cells of an open notebook.
//!
//! Changed by `notebookDocument/*` notifications; the cells' texts are documents like any other.

use lsp_types::{NotebookCell, NotebookCellArrayChange, NotebookCellKind, Uri};

/// A notebook's cells in order.
#[derive(Debug, Clone, Default)]
pub struct Notebook {
    cells: Vec<NotebookCell>,
}

impl Notebook {
    /// A notebook with these cells.
    pub fn new(cells: Vec<NotebookCell>) -> Self {
        Self { cells }
    }

    /// The documents of the code cells, in order.
    pub fn code_cells(&self) -> Vec<Uri> {
        self.cells
            .iter()
            .filter(|cell| cell.kind == NotebookCellKind::Code)
            .map(|cell| cell.document.clone())
            .collect()
    }

    /// Replaces a run of cells; a run beyond the end is clamped to it.
    pub fn splice(&mut self, change: NotebookCellArrayChange) {
        let start = (change.start as usize).min(self.cells.len());
        let end = start
            .saturating_add(change.delete_count as usize)
            .min(self.cells.len());
        self.cells.splice(start..end, change.cells.unwrap_or_default());
    }

    /// Takes new data (kind, metadata) for cells that are known.
    pub fn update(&mut self, cells: Vec<NotebookCell>) {
        for cell in cells {
            if let Some(known) = self
                .cells
                .iter_mut()
                .find(|known| known.document == cell.document)
            {
                *known = cell;
            }
        }
    }
}
