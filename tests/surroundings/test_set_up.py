"""A user's own set-up, on drupe and on ipykernel in one run; see `set_up.py`."""

import concurrent.futures

import pytest
from playing import NoKernel, Player, command
from set_up import ALIVE, CASES, REFUSED

pytest.importorskip("ipykernel")


def shown(kernel: str, case) -> tuple:
    """What each cell shows, and what the terminal has."""
    with Player(command(kernel), case.surrounding) as player:
        said = {code: str(player.run(code)) for code in [*case.cells, ALIVE[0]]}
        if kernel == "drupe":
            assert player.ends() == 0
        return said, player.log()


@pytest.fixture(scope="module")
def played():
    """A future of what each kernel shows, by case; two kernels at a time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield {
            name: [
                pool.submit(shown, kernel, case)
                for kernel in ("drupe", *([] if case.but else ["ipykernel"]))
            ]
            for name, case in CASES.items()
        }


@pytest.mark.parametrize("name", CASES)
def test_a_set_up(name, played):
    case = CASES[name]
    expected = {**case.cells, ALIVE[0]: ALIVE[1]}
    (ours, log), *theirs = (future.result() for future in played[name])
    assert ours == expected
    for other, _ in theirs:
        assert other == expected
    for word in case.told:
        assert word in log


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_told_in_a_sentence(name):
    surrounding, words = REFUSED[name]
    with pytest.raises(NoKernel) as ended, Player(command("drupe"), surrounding) as player:
        # The core answers before Python runs.
        player.run("pass")
    assert ended.value.status == 2
    log = ended.value.log
    for word in ["drupe: ", *words]:
        assert word in log
    assert "Traceback" not in log
