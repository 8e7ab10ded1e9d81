"""What is measured, a module for each kind: cells, volume, questions, the life of a process, and what grows."""

from . import cells, growth, life, questions, volume

GROUPS = {
    "Cells": cells.ROWS,
    "Volume": volume.ROWS,
    "Questions": questions.ROWS,
    "Start, interrupt and end": life.ROWS,
}
CURVES = growth.CURVES
