"""Subtitles as they are found beside videos."""

from pathlib import Path

from vilax.data.subtitles import read_subtitles, subtitles_at

SRT = """\ufeff1\r
00:00:01,000 --> 00:00:02,500\r
<font color="white" size=".72c">Hello</font>\r
<i>there</i>\r
\r
2\r
00:00:02,500 --> 00:00:04,000\r
\r
3\r
01:00:00.5 --> 01:00:02.000 align:start\r
{\\an8}Bye\r
"""


def test_entries_have_times_and_plain_text(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(SRT.encode())
    found = [(one.start, one.end, one.text) for one in read_subtitles(path)]
    assert found == [(1.0, 2.5, "Hello there"), (3600.5, 3602.0, "Bye")]


def test_an_entry_is_shown_up_to_but_without_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text(
        "WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000\nb\n\n00:00.000 --> 00:01.000\na\n"
    )
    entries = read_subtitles(path)
    assert subtitles_at(entries, [1.0]) == ["b"]
    assert subtitles_at(entries, [0.5, 1.5, 1.6]) == ["b", "a"]
    assert subtitles_at(entries, [2.0]) == []


def test_an_old_file_is_read_as_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes("1\n00:00:00,000 --> 00:00:01,000\ncaf\u00e9\n".encode("latin-1"))
    assert [one.text for one in read_subtitles(path)] == ["caf\u00e9"]
