"""A network that is made for a benchmark, as a server meets it."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.serving import networks
from benchmarks.serving.networks import MADE, Network, make
from infadapter_server.networks.stored import Format
from infadapter_server.serving.layout import Found, scan


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_has_as_many_blocks_as_take_the_time_and_lies_in_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    save = networks._save

    def saving(folder: Path, blocks: int) -> None:
        saved.append(blocks)
        save(folder, blocks)

    monkeypatch.setattr(networks, "_save", saving)
    monkeypatch.setattr(networks, "execution_s", lambda *_: 0.0005 * saved[-1])
    network = make(tmp_path, service_s=0.003)
    assert saved[-1] == 6
    found = scan(tmp_path)[MADE]
    assert isinstance(found, Found)
    assert found.stored.format is Format.TORCHSCRIPT
    assert found.stored.signature == network.signature == Network("glyph-1").signature
    assert network.open()(np.zeros((3, 1, 32, 32), np.float32)).shape == (3, 36)
    assert network.options == ["--repository", str(tmp_path)]
