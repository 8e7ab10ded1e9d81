"""Some of the table's notebooks, each run on ipykernel and on drupe and compared; `make notebooks` runs them all."""

import concurrent.futures

import pytest

pytest.importorskip("tomllib")
pytest.importorskip("ipykernel")

import playing  # noqa: E402  (reads the table with tomllib)

SHORT = playing.table("short")


@pytest.fixture(scope="module")
def played() -> dict:
    """For each notebook, by kernel: a future of what it showed."""
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        yield {
            notebook.name: {
                kernel: pool.submit(playing.play, notebook, kernel) for kernel in playing.KERNELS
            }
            for notebook in SHORT
        }


@pytest.mark.parametrize("notebook", SHORT, ids=lambda notebook: notebook.name)
def test_both_show_the_same(notebook, played):
    ours, theirs = (played[notebook.name][kernel].result() for kernel in ("drupe", "ipykernel"))
    assert theirs.outputs() > theirs.errors(), "nothing but errors"
    lines, unused = playing.differences(notebook, ours, theirs)
    if lines:
        # ipykernel is not always like itself: on a loaded machine a loop that clears and prints has ended with nothing. It is played
        # once more; what drupe has shown stays what it was.
        lines, unused = playing.differences(notebook, ours, playing.play(notebook, "ipykernel"))
    assert not lines, f"{len(lines)} differences (ipykernel's != drupe's)\n" + "\n".join(lines)
    assert not unused, f"these are not needed any more: {unused}"


def test_the_table():
    """Enough rows, each once; those that are run here among them; and a reason for what may differ."""
    names = [notebook.name for notebook in playing.table()]
    assert len(names) == len(set(names)) >= 60
    assert len(SHORT) >= 12
    assert {notebook.name for notebook in SHORT} <= set(names)
    for notebook in playing.table():
        for entry in notebook.differences:
            assert len(entry["reason"]) > 20, f"{notebook.name}: {entry}"
