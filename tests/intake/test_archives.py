"""Files in folders and archives: all are found, in one order, and none leads elsewhere."""

import gzip
import io
import os
import re
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.intake.archives import ArchiveLimits
from pipeline.intake.files import PictureFile, find_files, folders_of
from pipeline.intake.names import plain_name, printable_name

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0 not much of a picture"
FOLDER = "raw/photos"


@pytest.fixture
def photos(tmp_path):
    """The folder of a source in a project whose root is tmp_path."""
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    return folder


def write(path, content=JPEG):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_zip(path, members):
    """A zip of (name or ZipInfo, content) pairs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return path


def write_tar(path, members, mode="w"):
    """A tar of (name or TarInfo, content) pairs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def found(root, folder=FOLDER, **options):
    """Sources, members and troubles below a folder, the folder's own name taken off."""
    return [
        (file.source.removeprefix(f"{folder}/"), file.member, file.trouble)
        for file in find_files(root, folder, **options)
    ]


def trouble_of(root, **options):
    """The reason of the one file there is, which reading it must give as well."""
    (file,) = find_files(root, FOLDER, **options)
    with pytest.raises(DataError) as refusal:
        file.read(root, **options)
    assert file.trouble in {"", str(refusal.value)}
    return str(refusal.value)


# --- Folders ---------------------------------------------------------------------------------


def test_files_are_found_in_one_order_and_read(tmp_path, photos):
    names = ["b/2.jpg", "a/10.jpg", "B/1.jpg", "a/9.jpg", "a/deep/er/1.png", "top.jpg", "ä/1.jpg"]
    for name in names:
        write(photos / name, name.encode())
    files = find_files(tmp_path, FOLDER)
    assert [file.source for file in files] == sorted(f"{FOLDER}/{name}" for name in names)
    assert {file.read(tmp_path) for file in files} == {name.encode() for name in names}
    assert find_files(tmp_path, f"./{FOLDER}/") == files


def test_a_catalogue_row_is_enough_to_read_a_file(tmp_path, photos):
    write(photos / "cat" / "1.jpg", b"one")
    write_zip(photos / "more.zip", [("dog/2.jpg", b"two")])
    assert PictureFile(f"{FOLDER}/cat/1.jpg").read(tmp_path) == b"one"
    assert PictureFile(f"{FOLDER}/more.zip", "dog/2.jpg").read(tmp_path) == b"two"


def test_a_missing_folder_is_an_error_with_its_name(tmp_path):
    with pytest.raises(DataError, match="raw/photos: there is no such folder"):
        find_files(tmp_path, FOLDER)


def test_an_empty_folder_has_no_files(tmp_path, photos):
    (photos / "empty").mkdir()
    assert find_files(tmp_path, FOLDER) == []


def test_a_folder_may_be_called_x_jpg(tmp_path, photos):
    write(photos / "x.jpg" / "1.png")
    assert found(tmp_path) == [("x.jpg/1.png", "", "")]


def test_clutter_and_notes_are_passed_over(tmp_path, photos):
    clutter = [".DS_Store", "._1.jpg", ".git/x.jpg", "Thumbs.db", "DESKTOP.INI", "__MACOSX/a.jpg"]
    notes = ["README", "readme.md", "LICENSE.txt", "labels.csv", "truth/1.json", "page.xml",
             "photos.dvc", "empty.txt"]  # fmt: skip
    for name in clutter:
        write(photos / name)
    for name in notes:
        write(photos / name, b"" if name == "empty.txt" else "a note, à propos\n".encode("latin-1"))
    write(photos / "utf-16.txt", "a note".encode("utf-16"))
    write_zip(photos / "labels.xlsx", [("[Content_Types].xml", b"<x/>")])
    members = [(name, b"a note") for name in (*clutter, *notes)]
    write_zip(photos / "a.zip", [*members, ("1.jpg", JPEG)])
    write_tar(photos / "b.tar", [*members, ("1.jpg", JPEG)])
    assert found(tmp_path) == [("a.zip", "1.jpg", ""), ("b.tar", "1.jpg", "")]


def test_what_only_looks_like_a_note_or_a_picture_is_listed(tmp_path, photos):
    write(photos / "photo.txt", JPEG)
    write(photos / "text.jpg", b"Dear Sir")
    write(photos / "README.jpg", JPEG)
    write(photos / "empty.jpg", b"")
    write(photos / "no suffix", JPEG)
    write_zip(photos / "a.zip", [("photo.txt", JPEG)])
    names = ["README.jpg", "a.zip", "empty.jpg", "no suffix", "photo.txt", "text.jpg"]
    assert [source for source, _, _ in found(tmp_path)] == names


@pytest.mark.parametrize(
    ("name", "printable"),
    [
        ("a b'\"%$.jpg", "a b'\"%$.jpg"),
        ("猫 😀 é.jpg", "猫 😀 é.jpg"),
        ("line\nbreak.jpg", "line\\nbreak.jpg"),
        ("\x1b[31mred.jpg", "\\x1b[31mred.jpg"),
        ("\u202egpj.cat", "\\u202egpj.cat"),
        ("back\\slash.jpg", "back\\\\slash.jpg"),
        ("not\udcffutf\udc8a.jpg", "not\\udcffutf\\udc8a.jpg"),
        ("\\n.jpg", "\\\\n.jpg"),
    ],
)
def test_every_name_is_printable_and_readable(tmp_path, photos, name, printable):
    write(photos / name, JPEG)
    write_tar(photos.parent / "tars" / "a.tar", [(name.replace("\\", "_"), JPEG)])
    (file,) = find_files(tmp_path, FOLDER)
    assert file.source == f"{FOLDER}/{printable}" and file.source.isprintable()
    assert file.read(tmp_path) == JPEG
    (member,) = find_files(tmp_path, "raw/tars")
    assert member.member.isprintable() and member.read(tmp_path) == JPEG


@given(st.text(st.characters(exclude_categories=[]) | st.sampled_from("\\nrtxuU0afF"), max_size=30))
def test_a_printable_name_says_which_name_it_stands_for(name):
    printable = printable_name(name)
    assert printable.isprintable()
    printable.encode("utf-8")
    assert plain_name(printable) == name


# --- What is not followed --------------------------------------------------------------------


def test_a_link_to_a_file_inside_the_folder_is_read(tmp_path, photos):
    write(photos / "cat" / "1.jpg", b"one")
    (photos / "cat" / "2.jpg").symlink_to("1.jpg")
    files = find_files(tmp_path, FOLDER)
    assert [file.read(tmp_path) for file in files] == [b"one", b"one"]


def test_links_that_lead_out_or_round_are_not_followed(tmp_path, photos):
    write(tmp_path / "secret.jpg")
    write(tmp_path / "raw" / "others" / "1.jpg")
    for name, target in {
        "a": tmp_path / "secret.jpg",
        "b": "../others",
        "c": "c",
        "d": "nowhere.jpg",
        "e": ".",
        "f": "/dev/zero",
    }.items():
        (photos / name).symlink_to(target)
    out = "a link that leads out of the source's folder: not followed"
    assert found(tmp_path) == [
        ("a", "", out),
        ("b", "", out),
        ("c", "", "a link that leads nowhere or in a circle"),
        ("d", "", "a link that leads nowhere or in a circle"),
        ("e", "", "a link to a folder: not followed"),
        ("f", "", out),
    ]
    with pytest.raises(DataError, match="leads out"):
        find_files(tmp_path, FOLDER)[0].read(tmp_path)


def test_the_sources_folder_itself_may_be_a_link(tmp_path):
    write(tmp_path / "elsewhere" / "cat" / "1.jpg")
    (tmp_path / "raw").mkdir()
    (tmp_path / FOLDER).symlink_to("../elsewhere")
    assert found(tmp_path) == [("cat/1.jpg", "", "")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_pipes_and_sockets_are_never_opened(tmp_path, photos, monkeypatch):
    os.mkfifo(photos / "pipe.jpg")  # opening it would wait for ever
    monkeypatch.chdir(photos)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        reason = "not a file but a pipe, a socket or a device"
        assert found(tmp_path) == [("pipe.jpg", "", reason), ("socket.jpg", "", reason)]
    with pytest.raises(DataError, match="not a file"):
        PictureFile(f"{FOLDER}/pipe.jpg").read(tmp_path)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has other permissions")
def test_what_may_not_be_read_stops_all():
    # pytest's own folders are closed to others, and root may read everything
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        root.chmod(0o755)
        closed = write(root / FOLDER / "closed.jpg")
        closed.chmod(0)
        write(root / FOLDER / "open.jpg")
        shut = write(root / "raw/others/shut/1.jpg").parent
        shut.chmod(0)
        user = os.geteuid()
        os.seteuid(user or 65534)
        try:
            for source, path in ((FOLDER, closed), ("raw/others", shut)):
                with pytest.raises(PermissionError, match=re.escape(str(path))):
                    find_files(root, source)
            with pytest.raises(PermissionError, match=re.escape(str(closed))):
                PictureFile(f"{FOLDER}/closed.jpg").read(root)
        finally:
            os.seteuid(user)
            shut.chmod(0o755)


def test_a_file_that_vanished_is_told(tmp_path, photos):
    path = write(photos / "1.jpg")
    archive = write_zip(photos / "a.zip", [("1.jpg", JPEG)])
    files = find_files(tmp_path, FOLDER)
    path.unlink()
    archive.unlink()
    for file, gone in zip(files, (path, archive), strict=True):
        with pytest.raises(FileNotFoundError, match=re.escape(str(gone))):
            file.read(tmp_path)


def test_an_archive_that_changed_is_read_anew(tmp_path, photos):
    path = write_zip(photos / "a.zip", [("1.jpg", b"old")])
    (file,) = find_files(tmp_path, FOLDER)
    write_zip(path, [("1.jpg", b"newer"), ("2.jpg", JPEG)])
    assert file.read(tmp_path) == b"newer"
    size = path.stat().st_size
    write_zip(path, [("1.jpg", b"other"), ("2.jpg", JPEG)])
    os.utime(path, (0, 0))
    assert path.stat().st_size == size
    assert file.read(tmp_path) == b"other"
    write_zip(path, [("3.jpg", JPEG)])
    with pytest.raises(DataError, match="holds no such file any more"):
        file.read(tmp_path)


def test_a_huge_file_is_refused(tmp_path, photos):
    write(photos / "1.jpg", bytes(1001))
    assert trouble_of(tmp_path, limits=ArchiveLimits(file=1000)) == (
        "too large: more than the limit of 1,000 bytes"
    )
    assert PictureFile(f"{FOLDER}/1.jpg").read(tmp_path, limits=ArchiveLimits(file=1001)) == bytes(
        1001
    )


# --- Archives --------------------------------------------------------------------------------

ARCHIVES = {
    "a.zip": write_zip,
    "a.tar": write_tar,
    "a.tar.gz": lambda path, members: write_tar(path, members, "w:gz"),
}
archives = pytest.mark.parametrize(("name", "write_archive"), ARCHIVES.items(), ids=ARCHIVES)


@archives
def test_an_archive_is_read_as_a_folder(tmp_path, photos, name, write_archive):
    members = {f"{folder}/{n}.jpg": f"{folder}{n}".encode() * 50 for folder in "ba" for n in "31"}
    write_archive(photos / name, members.items())
    files = find_files(tmp_path, FOLDER)
    assert [file.source for file in files] == [f"{FOLDER}/{name}"] * 4
    assert [file.member for file in files] == sorted(members)
    assert [file.read(tmp_path) for file in files] == [members[key] for key in sorted(members)]


@archives
def test_an_archive_is_told_by_its_content(tmp_path, photos, name, write_archive):
    write_archive(photos / "holiday.jpg", [("cat/1.jpg", JPEG)])
    write(photos / name)
    assert found(tmp_path) == sorted([("holiday.jpg", "cat/1.jpg", ""), (name, "", "")])


@archives
def test_a_source_may_be_an_archive_itself(tmp_path, photos, name, write_archive):
    write_archive(photos / name, [("cat/1.jpg", JPEG)])
    (file,) = find_files(tmp_path, f"{FOLDER}/{name}")
    assert (file.source, file.member) == (f"{FOLDER}/{name}", "cat/1.jpg")
    assert file.read(tmp_path) == JPEG
    assert folders_of(file, f"{FOLDER}/{name}") == ["cat"]


@archives
@pytest.mark.parametrize(
    "member",
    ["../1.jpg", "cat/../../1.jpg", "/etc/1.jpg", "C:/1.jpg", "c:1.jpg", "..\\1.jpg", "a\\b.jpg",
     "cat/..", "."],
)  # fmt: skip
def test_names_that_lead_out_are_refused(tmp_path, photos, name, write_archive, member):
    write_archive(photos / name, [(member, JPEG), ("cat/1.jpg", JPEG)])
    refused, sound = sorted(find_files(tmp_path, FOLDER), key=lambda file: not file.trouble)
    assert refused.member == printable_name(member) and "lead out" in refused.trouble
    assert folders_of(refused, FOLDER) == []
    with pytest.raises(DataError, match="lead out"):
        refused.read(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        PictureFile(refused.source, refused.member).read(tmp_path)
    assert sound.read(tmp_path) == JPEG
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [name]


def test_harmless_detours_in_names_are_cleaned(tmp_path, photos):
    write_tar(photos / "a.tar", [("./cat/1.jpg", b"1"), ("cat//2.jpg", b"2")])
    files = find_files(tmp_path, FOLDER)
    assert [file.member for file in files] == ["cat/1.jpg", "cat/2.jpg"]
    assert [file.read(tmp_path) for file in files] == [b"1", b"2"]


def tar_entry(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_links_and_devices_in_a_tar_are_refused(tmp_path, photos):
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
    members = [("0.jpg", JPEG)]
    members += [(tar_entry(f"{n}.jpg", kind, "0.jpg"), b"") for n, kind in enumerate(kinds, 1)]
    write_tar(photos / "a.tar", members)
    first, *others = find_files(tmp_path, FOLDER)
    assert first.read(tmp_path) == JPEG
    assert [file.trouble for file in others] == [
        "a link or a device in an archive: not followed"
    ] * 5


def test_links_in_a_zip_are_refused(tmp_path, photos):
    link = zipfile.ZipInfo("1.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    write_zip(photos / "a.zip", [(link, b"/etc/passwd")])
    assert trouble_of(tmp_path) == "a link or a device in an archive: not followed"


@archives
def test_an_archive_inside_an_archive_is_not_opened(tmp_path, photos, name, write_archive):
    inner = write_zip(tmp_path / "inner.zip", [("1.jpg", JPEG)]).read_bytes()
    write_archive(photos / name, [("cat/inner.ZIP", inner)])
    assert trouble_of(tmp_path) == "an archive inside an archive: not opened"


@archives
def test_a_name_that_comes_twice_is_refused_the_second_time(
    tmp_path, photos, name, write_archive, recwarn
):
    write_archive(photos / name, [("1.jpg", b"first"), ("./1.jpg", b"second")])
    first, second = find_files(tmp_path, FOLDER)
    assert first.read(tmp_path) == b"first"
    assert "same name" in second.trouble


def test_an_encrypted_member_is_refused(tmp_path, photos):
    path = write_zip(photos / "a.zip", [("1.jpg", JPEG)])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the flag, in the central directory
    path.write_bytes(data)
    assert trouble_of(tmp_path) == "encrypted: unpack the archive with its password first"


@archives
def test_a_member_above_the_limit_is_refused(tmp_path, photos, name, write_archive):
    write_archive(photos / name, [("1.jpg", bytes(1001)), ("2.jpg", bytes(1000))])
    limits = ArchiveLimits(file=1000)
    large, small = find_files(tmp_path, FOLDER, limits=limits)
    assert large.trouble == "too large: 1,001 bytes unpacked, the limit is 1,000"
    assert small.read(tmp_path, limits=limits) == bytes(1000)


@archives
def test_an_archive_above_the_limit_is_refused_whole(tmp_path, photos, name, write_archive):
    write_archive(photos / name, [(f"{n}.jpg", bytes(900)) for n in range(10)])
    assert len(find_files(tmp_path, FOLDER, limits=ArchiveLimits(total=10**5, members=10))) == 10
    for limits in (ArchiveLimits(total=8999), ArchiveLimits(members=9)):
        assert trouble_of(tmp_path, limits=limits).startswith("too large an archive")


def test_a_zips_word_about_a_members_size_is_not_believed(tmp_path, photos):
    path = write_zip(photos / "bomb.zip", [("1.jpg", bytes(10_000_000))])
    data = bytearray(path.read_bytes())
    assert len(data) < 20_000
    directory = data.index(b"PK\1\2")
    data[directory + 24 : directory + 28] = (5000).to_bytes(4, "little")
    path.write_bytes(data)
    limits = ArchiveLimits(file=8000)
    (file,) = find_files(tmp_path, FOLDER, limits=limits)
    with pytest.raises(DataError, match="damaged|too large"):
        file.read(tmp_path, limits=limits)


def test_a_gzip_bomb_is_stopped_at_the_limit(tmp_path, photos):
    plain = write_tar(tmp_path / "plain.tar", [("1.jpg", JPEG)]).read_bytes()
    write(photos / "a.tar.gz", gzip.compress(plain + bytes(10**7)))  # behind the last member
    reason = "too large an archive: more than the limit of 1,000,000 bytes"
    assert trouble_of(tmp_path, limits=ArchiveLimits(total=10**6)) == reason


def test_a_tars_header_is_not_read_into_memory_whatever_its_size(tmp_path, photos):
    info = tarfile.TarInfo("1.jpg")
    info.pax_headers = {"comment": "x" * 10**6}
    write_tar(photos / "a.tar", [(info, JPEG)])
    assert trouble_of(tmp_path) == "damaged archive: a header is too long"


def test_a_gzip_that_holds_no_tar_is_a_file(tmp_path, photos):
    write(photos / "train-images-idx3-ubyte.gz", gzip.compress(bytes(4000)))
    assert found(tmp_path) == [("train-images-idx3-ubyte.gz", "", "")]


@archives
def test_a_truncated_archive_is_refused_with_a_reason(tmp_path, photos, name, write_archive):
    members = [(f"{n}.jpg", os.urandom(700)) for n in range(4)]
    whole = write_archive(photos / name, members).read_bytes()
    ends = {".zip": len(whole) - 1, ".tar": 4 * 1536 - 1, ".gz": len(whole) - 1}
    for size in range(600, ends[Path(name).suffix], 97):
        (photos / name).write_bytes(whole[:size])
        assert "damaged archive" in trouble_of(tmp_path)


def test_a_tar_damaged_in_the_middle_does_not_lose_its_tail_in_silence(tmp_path, photos):
    path = write_tar(photos / "a.tar", [(f"{n}.jpg", JPEG) for n in range(4)])
    data = bytearray(path.read_bytes())
    data[2 * 1024 + 3] ^= 0xFF  # in the third header
    path.write_bytes(data)
    assert trouble_of(tmp_path) == "damaged archive: it breaks off after 2 files"


def test_a_damaged_member_costs_itself_only(tmp_path, photos):
    path = write_zip(photos / "a.zip", [("1.jpg", os.urandom(500)), ("2.jpg", JPEG)])
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    damaged, sound = find_files(tmp_path, FOLDER)
    with pytest.raises(DataError, match="damaged file in the archive"):
        damaged.read(tmp_path)
    assert sound.read(tmp_path) == JPEG


@settings(max_examples=120)
@given(st.sampled_from(sorted(ARCHIVES)), st.data())
def test_flipped_bits_give_files_or_reasons(name, data):
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "raw", name)
        ARCHIVES[name](path, [("cat/1.jpg", JPEG * 9), ("dog/2.jpg", bytes(1000))])
        broken = bytearray(path.read_bytes())
        bits = st.integers(0, 8 * min(len(broken), 5000) - 1)
        for bit in data.draw(st.lists(bits, min_size=1, max_size=6)):
            broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        for file in find_files(Path(place), "raw"):
            assert (file.source + file.member + file.trouble).isprintable()
            try:
                file.read(Path(place))
            except DataError as error:
                assert str(error).isprintable()


def test_a_child_process_may_read_the_same_archive(tmp_path, photos):
    members = [(f"{n:03}.jpg", bytes([n]) * 5000) for n in range(60)]
    write_tar(photos / "a.tar", members)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from pipeline.intake.files import find_files\n"
        "root = Path(sys.argv[1])\n"
        "files = find_files(root, 'raw/photos')\n"
        "child = os.fork()\n"
        "whole = all(file.read(root) == bytes([int(file.member[:3])]) * 5000\n"
        "            for _ in range(20) for file in files)\n"
        "if not child: os._exit(not whole)\n"
        "sys.exit(not whole or os.waitpid(child, 0)[1])\n"
    )
    if not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True, timeout=60)


# --- Which folder names the class ------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "member", "folders"),
    [
        ("cat/1.jpg", "", ["cat"]),
        ("cat/2019/1.jpg", "", ["cat", "2019"]),
        ("1.jpg", "", []),
        ("cat.zip", "1.jpg", ["cat"]),
        ("cat.tar.gz", "1.jpg", ["cat"]),
        ("cat.tgz", "1.jpg", ["cat"]),
        ("v1.2.zip", "1.jpg", ["v1.2"]),
        ("cats", "1.jpg", ["cats"]),
        ("cats.zip", "cat/1.jpg", ["cat"]),
        ("pets.zip", "cat/2019/1.jpg", ["cat", "2019"]),
        ("pets.zip", "pets/cat/1.jpg", ["cat"]),
        ("cat.zip", "cat/1.jpg", ["cat"]),
        ("cat/more.zip", "1.jpg", ["cat", "more"]),
        ("cat/more.zip", "dog/1.jpg", ["cat", "dog"]),
        ("cat.zip", "", []),
        ("pets.zip", "../1.jpg", []),
        ("pets.zip", "../../cat/1.jpg", []),
        ("train.zip", "cat/1.jpg", ["train", "cat"]),
        ("train.zip", "train/cat/1.jpg", ["train", "cat"]),
        ("test/a.zip", "cat/1.jpg", ["test", "cat"]),
    ],
)
def test_the_folder_that_names_the_class(source, member, folders):
    file = PictureFile(f"{FOLDER}/{source}", member)
    assert folders_of(file, FOLDER) == folders_of(file, f"{FOLDER}/") == folders


@pytest.mark.parametrize(
    ("member", "folders"),
    [("1.jpg", []), ("cat/1.jpg", ["cat"]), ("pets/cat/1.jpg", ["cat"])],
)
def test_the_folder_when_the_source_is_an_archive(member, folders):
    file = PictureFile("raw/pets.zip", member)
    assert folders_of(file, "raw/pets.zip") == folders
