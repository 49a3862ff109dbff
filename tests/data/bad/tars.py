"""Tars of pairs with a bad one, and tars that are damaged or hostile."""

import gzip
import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.data.bad.kind import AT, GOOD, Bad
from tests.data.bad.pictures import BROKEN, ODD, broken, odd
from tests.data.writers import add, picture


def pairs(
    folder: Path,
    parts: dict[str, bytes] | None,
    name: str = "0.tar",
    at: int = AT,
    good: int = GOOD,
) -> Path:
    """A tar of good pairs, and one key ``bad`` with the given parts by extension."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / name, "w") as tar:
        for number in range(good):
            if number == at and parts is not None:
                for extension, data in parts.items():
                    add(tar, f"bad.{extension}", data)
            add(tar, f"good{number:03d}.png", picture(number))
            add(tar, f"good{number:03d}.txt", f"a dog w{number}".encode())
    return folder


def pairs_with(data: bytes, extension: str = "png") -> Callable[[Path], Path]:
    return lambda folder: pairs(folder, {extension: data, "txt": b"a cat"})


def _parts(**parts: bytes) -> Callable[[Path], Path]:
    return lambda folder: pairs(folder, parts)


def beside(name: str, data: bytes) -> Callable[[Path], Path]:
    """A good tar, and a second one of the given bytes."""

    def write(folder: Path) -> Path:
        pairs(folder, None)
        (folder / name).write_bytes(data)
        return folder

    return write


def tar_of(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A tar of the given members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def _named(key: str, *, kind: bytes = tarfile.REGTYPE, to: str = "") -> bytes:
    info = tarfile.TarInfo(f"{key}.png")
    info.type, info.linkname = kind, to
    data = picture(7) if kind == tarfile.REGTYPE else b""
    return tar_of([(info, data), (tarfile.TarInfo(f"{key}.txt"), b"a cat")])


def _cut_tar(folder: Path) -> Path:
    pairs(folder, {"png": broken("random bytes") * 9, "txt": b"a cat"}, at=GOOD - 1)
    path = folder / "0.tar"
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"bad.png") + 2000])
    return folder


def _damaged_header(folder: Path) -> Path:
    pairs(folder, {"png": picture(9), "txt": b"a cat"})
    path = folder / "0.tar"
    data = bytearray(path.read_bytes())
    at = data.index(b"bad.png")
    data[at + 100 : at + 160] = b"\xff" * 60
    path.write_bytes(bytes(data))
    return folder


def _huge_member(folder: Path) -> Path:
    pairs(folder, {"png": picture(9), "txt": b"a cat"}, at=GOOD - 1, good=GOOD)
    path = folder / "0.tar"
    data = bytearray(path.read_bytes())
    at = data.index(b"bad.png")
    header = data[at : at + 512]
    header[124:136] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    data[at : at + 512] = header
    path.write_bytes(bytes(data))
    return folder


def _two_tars(folder: Path) -> Path:
    pairs(folder, None)
    return pairs(folder, {"png": picture(9), "txt": b"a cat"}, "1.tar", 0, 1)


def _tar_gone(folder: Path) -> None:
    (folder / "1.tar").unlink()


KINDS: dict[str, Bad] = {
    **{
        f"pair: {name}": Bad(pairs_with(broken(name)), reason, "0.tar", "bad")
        for name, (_, reason) in BROKEN.items()
    },
    **{
        f"pair: {name}": Bad(pairs_with(odd(name)), reason, "0.tar", "bad", kept=True)
        for name, (_, reason) in ODD.items()
    },
    "pair: a png named jpg": Bad(
        pairs_with(picture(9), "jpg"), "extension|named", "0.tar", "bad", kept=True
    ),
    "pair: no text": Bad(_parts(png=picture(9)), "txt|text|caption", "0.tar", "bad"),
    "pair: no picture": Bad(_parts(txt=b"a cat"), "picture", "0.tar", "bad"),
    "pair: text not UTF-8": Bad(
        _parts(png=picture(9), txt=b"\xff\xfe\xfa"), "UTF-8", "0.tar", "bad"
    ),
    "pair: empty text": Bad(_parts(png=picture(9), txt=b" \n"), "empty", "0.tar", "bad"),
    "tar: cut in the middle": Bad(_cut_tar, "cut|ends|short", "0.tar", "bad", good=GOOD - 1),
    "tar: damaged header": Bad(_damaged_header, "header|picture", "0.tar"),
    "tar: a member that claims 8 GB": Bad(
        _huge_member, "ends|cut|short|large", "0.tar", "bad", good=GOOD - 1
    ),
    "tar: path that leads out": Bad(beside("1.tar", _named("../bad")), ".", "1.tar", "bad", None),
    "tar: absolute path": Bad(beside("1.tar", _named("/etc/bad")), ".", "1.tar", "bad", None),
    "tar: symbolic link": Bad(
        beside("1.tar", _named("bad", kind=tarfile.SYMTYPE, to="/etc/passwd")), ".", "1.tar", "bad"
    ),
    "tar: hard link": Bad(
        beside("1.tar", _named("bad", kind=tarfile.LNKTYPE, to="x.png")), ".", "1.tar", "bad"
    ),
    "tar: empty archive": Bad(beside("1.tar", b""), "empty", "1.tar"),
    "tar: gzip in disguise": Bad(
        beside("1.tar", gzip.compress(_named("bad"))), "gzip|compress|header", "1.tar"
    ),
    "tar: a page of HTML": Bad(beside("1.tar", b"<html>" * 200), "header|tar|HTML", "1.tar"),
    "tar: deleted after opening": Bad(
        _two_tars, "read|No such|missing|gone", "1.tar", then=_tar_gone
    ),
}
