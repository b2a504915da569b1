"""The file of a recording while the recording goes on."""

from pathlib import Path

from sakimori_packet_sensor.api.recordings import _beginning


async def test_what_comes_while_it_is_read_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"x" * 300_000)
    pieces = []
    async for piece in _beginning(path, 300_000):
        pieces.append(piece)
        with path.open("ab") as more:
            more.write(b"y" * 1000)
    assert b"".join(pieces) == b"x" * 300_000


async def test_a_file_that_was_cut_meanwhile_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"x" * 10)
    assert [piece async for piece in _beginning(path, 300)] == [b"x" * 10]
