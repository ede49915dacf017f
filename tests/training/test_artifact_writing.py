"""Writing the artifact: all of it or nothing, whoever reads, kills or fills the disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sklearn
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import make_pipeline

from scoring.artifact import MANIFEST, Manifest, load
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.predictor import Predictor
from tests.support import ROOT, environment, records, tiny_pair, write_artifact
from tests.training.support import RIDE
from training import artifact
from training.errors import TrainingError

FOLDER = "ride"
FILES = [RIDE.artifact_file, MANIFEST, "scorer.json"]

# A writer that says when its folder is filled, and then waits to be killed.
HANGS = """
import sys
from scoring.models import discover
from tests.support import write_artifact

def hang(folder):
    (folder / "plot.png").write_bytes(b"half")
    print(*sorted(path.name for path in folder.iterdir()), flush=True)
    sys.stdin.read()

write_artifact(discover()["ride"], __import__("pathlib").Path(sys.argv[1]), draw=hang)
"""

# A disk of 64 kB of its own: the first artifact fits on it, the second does not.
FILLS = """
import sys
from pathlib import Path
from scoring.artifact import load
from scoring.models import discover
from tests.support import write_artifact
from training.errors import TrainingError

ride, output = discover()["ride"], Path(sys.argv[1])
kept = write_artifact(ride, output, threshold=0.1)
try:
    write_artifact(ride, output, draw=lambda f: (f / "plot.png").write_bytes(bytes(100_000)))
except TrainingError as error:
    print(error)
assert load(output / "ride", ride).manifest == kept
print(*sorted(path.name for path in output.iterdir()))
"""


def python(script: str, *words: object) -> list[str]:
    return [sys.executable, "-c", script, *map(str, words)]


def ours() -> dict[str, str]:
    return environment(PYTHONPATH=str(ROOT))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Manifest]:
    """An artifact in `tmp_path` that must be there, whole and alone, when the test is over."""
    manifest = write_artifact(RIDE, tmp_path, notes=["old"])
    yield manifest
    assert names(tmp_path) == [FOLDER]
    assert names(tmp_path / FOLDER) == FILES
    assert load(tmp_path / FOLDER, RIDE).manifest == manifest


def test_the_folder_holds_the_pair_and_its_manifest(model: Model, tmp_path: Path) -> None:
    """Under the model's file name, with its digest, the version made of it, and what made it."""
    manifest = write_artifact(model, tmp_path, seed=7, notes=["a note"])
    folder = tmp_path / model.name
    assert names(folder) == sorted([model.artifact_file, MANIFEST, "scorer.json"])
    digest = hashlib.sha256((folder / model.artifact_file).read_bytes()).hexdigest()
    assert (manifest.sha256, manifest.version) == (digest, digest[:12])
    assert (manifest.model, manifest.file) == (model.name, model.artifact_file)
    assert manifest.python == platform.python_version()
    assert manifest.libraries["scikit-learn"] == sklearn.__version__
    assert manifest.feature_names == list(tiny_pair(model)[0].feature_names_)
    assert (manifest.seed, manifest.notes) == (7, ["a note"])
    assert Manifest.model_validate_json((folder / MANIFEST).read_text()) == manifest


def test_the_manifest_names_the_estimator_and_its_parameters(tmp_path: Path) -> None:
    """Of a pipeline, its last step's class."""
    assert write_artifact(RIDE, tmp_path).estimator == "LinearRegression"
    assert write_artifact(RIDE, tmp_path).parameters["fit_intercept"] is True
    vectorizer, estimator = tiny_pair(RIDE)
    piped = make_pipeline(estimator)
    written = artifact.write(
        tmp_path, RIDE, (vectorizer, piped), golden=[RIDE.example], threshold=0.5
    )
    assert written.estimator == "LinearRegression"


def test_the_pair_answers_its_golden_records_once_it_is_loaded(
    model: Model, tmp_path: Path
) -> None:
    """The service proves the model by them; what was unseen is no part of the answer."""
    manifest = write_artifact(model, tmp_path)
    predictor = Predictor.from_folder(tmp_path / model.name, model)
    assert [golden.record for golden in manifest.golden] == records(model, 4)
    for golden in manifest.golden:
        [answer] = predictor.answers([predictor.reader.one(golden.record)])
        answer.pop("unseen", None)
        assert answer == pytest.approx(golden.answer)


def test_a_golden_record_of_an_unseen_category_is_kept_without_saying_so(tmp_path: Path) -> None:
    """Its answer is a number like any other."""
    manifest = write_artifact(RIDE, tmp_path, golden=[{**RIDE.example, "DOLocationID": 265}])
    assert list(manifest.golden[0].answer) == ["duration"]


def test_a_pair_of_other_features_is_not_written(tmp_path: Path) -> None:
    """It could not be loaded."""
    vectorizer, estimator = tiny_pair(RIDE)
    names_made = vectorizer.get_feature_names_out()
    vectorizer.feature_names_ = [name.replace("PU_DO", "zones") for name in names_made]
    with pytest.raises(ArtifactError, match="the pair was fitted on other features"):
        artifact.write(tmp_path, RIDE, (vectorizer, estimator), golden=[], threshold=0.5)
    assert names(tmp_path) == []


def test_the_same_pair_has_the_same_digest(model: Model, tmp_path: Path) -> None:
    """Neither the day it was made changes the version nor that it was written before."""
    pair = tiny_pair(model)
    digests = [
        artifact.write(tmp_path / name, model, pair, golden=[model.example], threshold=0.5).sha256
        for name in ("one", "two")
    ]
    assert write_artifact(model, tmp_path / "three").sha256 == digests[0] == digests[1]


def test_bytes_that_exist_already_are_kept(tmp_path: Path) -> None:
    """A pair that was taken in stays the very file that it was."""
    pair = tiny_pair(RIDE)
    made = artifact.pickle.dumps(pair, protocol=2)
    manifest = artifact.write(
        tmp_path, RIDE, pair, golden=[RIDE.example], threshold=0.5, pickled=made
    )
    assert (tmp_path / FOLDER / RIDE.artifact_file).read_bytes() == made
    assert manifest.sha256 == hashlib.sha256(made).hexdigest()


def test_what_the_service_would_not_load_is_not_written(tmp_path: Path) -> None:
    """A class that is not on its allow-list, here of a scikit-learn estimator like any other."""
    vectorizer, estimator = tiny_pair(RIDE)
    x = vectorizer.transform([RIDE.features(RIDE.record.model_validate(RIDE.example))])
    foreign = DummyRegressor().fit(x, estimator.predict(x))
    with pytest.raises(ArtifactError, match=r"sklearn.dummy.DummyRegressor.* allow-list"):
        artifact.write(tmp_path, RIDE, (vectorizer, foreign), golden=[], threshold=0.5)
    assert names(tmp_path) == []


def test_any_user_may_read_what_was_written(tmp_path: Path) -> None:
    """The service is another user than the one who trained."""
    write_artifact(RIDE, tmp_path)
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o755


def test_a_library_that_is_not_installed_has_no_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """XGBoost, where only linear models are trained."""
    monkeypatch.setattr(artifact, "_LIBRARIES", ("numpy", "no-such-library"))
    assert list(write_artifact(RIDE, tmp_path).libraries) == ["numpy"]


@pytest.mark.slow
@pytest.mark.parametrize("model_name", ["ride", "churn"])
def test_two_lines_of_plain_pickle_load_the_pair(
    model_name: str, models_dir: Path, tmp_path: Path
) -> None:
    """Without this project: scikit-learn is all that they need."""
    folder = models_dir / model_name
    manifest = json.loads((folder / MANIFEST).read_text())
    script = (
        "import pickle, sys\n"
        "vectorizer, estimator = pickle.load(open(sys.argv[1], 'rb'))\n"
        "assert not {'scoring', 'training'} & {name.partition('.')[0] for name in sys.modules}\n"
        "print(estimator.predict(vectorizer.transform([eval(sys.argv[2])]))[0])\n"
    )
    golden = manifest["golden"][1]
    features = golden["record"]
    if model_name == "ride":
        features = {
            "PU_DO": f"{features['PULocationID']}_{features['DOLocationID']}",
            "trip_distance": features["trip_distance"],
        }
    command = [sys.executable, "-I", "-W", "ignore::ResourceWarning", "-c", script]
    done = subprocess.run(
        [*command, folder / manifest["file"], repr(features)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    answer = golden["answer"]
    expected = answer["duration"] if model_name == "ride" else float(answer["churn"])
    assert max(float(done.stdout), 0) == pytest.approx(expected)


def read_whole(folder: Path) -> tuple[str, str] | None:
    """Gives the digest that the manifest states and the one that the file has, both read from one
    folder even if it is exchanged meanwhile; None where that was removed in between."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # fails where there is no folder
    try:

        def content(name: str) -> bytes:
            with open(name, "rb", opener=lambda p, f: os.open(p, f, dir_fd=held)) as file:
                return file.read()

        manifest = json.loads(content(MANIFEST))
        return manifest["sha256"], hashlib.sha256(content(manifest["file"])).hexdigest()
    except FileNotFoundError:
        assert folder.stat().st_ino != os.fstat(held).st_ino, "a folder in place lacked a file"
        return None
    finally:
        os.close(held)


@pytest.mark.slow
def test_a_reader_meanwhile_finds_the_old_pair_or_the_new_one(tmp_path: Path) -> None:
    """Twenty times over: the folder is always there, and its files belong together."""
    pairs = [tiny_pair(RIDE), tiny_pair(RIDE, sort=False)]
    over = threading.Event()
    seen: list[tuple[str, str]] = []
    failures: list[BaseException] = []

    def write(number: int) -> None:
        artifact.write(
            tmp_path, RIDE, pairs[number % 2], golden=[RIDE.example], threshold=number / 100
        )

    def poll() -> None:
        try:
            while not over.is_set():
                if found := read_whole(tmp_path / FOLDER):
                    seen.append(found)
        except BaseException as error:  # noqa: BLE001  # told to the test, which runs elsewhere
            failures.append(error)

    write(0)
    reader = threading.Thread(target=poll)
    reader.start()
    for number in range(1, 21):
        write(number)
    over.set()
    reader.join()
    assert failures == []
    assert {stated for stated, _ in seen} == {digest for _, digest in seen}
    assert len({stated for stated, _ in seen}) == 2
    assert all(stated == digest for stated, digest in seen)


@pytest.mark.slow
def test_a_writer_that_is_killed_leaves_the_old_artifact(tmp_path: Path) -> None:
    """SIGKILL at the last moment: the new files are all there, but not in place."""
    manifest = write_artifact(RIDE, tmp_path, notes=["old"])
    with subprocess.Popen(
        python(HANGS, tmp_path),
        env=ours(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline().split() == [
            "lin_reg.bin",
            MANIFEST,
            "plot.png",
            "scorer.json",
        ]
        writer.kill()
    assert load(tmp_path / FOLDER, RIDE).manifest == manifest
    assert names(tmp_path / FOLDER) == FILES


@pytest.mark.usefixtures("kept")
def test_a_full_disk_leaves_the_old_artifact(tmp_path: Path) -> None:
    """Full while the plots are drawn, after all else was written."""

    def fill(folder: Path) -> None:
        assert names(folder) == FILES
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(TrainingError) as caught:
        write_artifact(RIDE, tmp_path, draw=fill)
    target = tmp_path / FOLDER
    assert str(caught.value) == f"{target} cannot be written: the disk is full; it is as it was"


def can_mount() -> bool:
    """Whether a file system of one's own can be mounted where nobody else sees it."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_disk_that_is_really_full_leaves_the_old_artifact(tmp_path: Path) -> None:
    """On a disk too small for both."""
    if not can_mount():
        pytest.skip("needs the right to mount a small disk")
    mount = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, tmp_path, *python(FILLS, tmp_path)],
        env=ours(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    reason = f"{tmp_path / FOLDER} cannot be written: the disk is full; it is as it was"
    assert done.stdout.splitlines() == [reason, FOLDER]


@pytest.mark.usefixtures("kept")
def test_a_pair_written_by_half_leaves_the_old_artifact(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Full in the middle of the pair."""

    def half(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(TrainingError, match="cannot be written: Disk quota exceeded; it is as it"):
        write_artifact(RIDE, tmp_path)
    monkeypatch.undo()


@pytest.mark.usefixtures("kept")
def test_a_plot_that_fails_leaves_the_old_artifact(tmp_path: Path) -> None:
    """An error of ours is not hidden, and nothing is left lying about."""

    def fail(_folder: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_artifact(RIDE, tmp_path, draw=fail)


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Here a file stands where the folder should be."""
    output = tmp_path / "models"
    output.write_text("mine")
    with pytest.raises(TrainingError) as caught:
        write_artifact(RIDE, output)
    assert str(caught.value).startswith(f"{output / FOLDER} cannot be written: ")
    assert output.read_text() == "mine"


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    """Files that no training wrote are not exchanged for ours."""
    target = tmp_path / FOLDER
    target.mkdir()
    (target / "thesis.txt").write_text("years of work")
    for refuse in (artifact.refuse_foreign, lambda _: write_artifact(RIDE, tmp_path)):
        with pytest.raises(TrainingError) as caught:
            refuse(target)
        message = f"{target} holds files but no manifest.json: name another --output"
        assert str(caught.value) == message
    assert (target / "thesis.txt").read_text() == "years of work"
    assert names(tmp_path) == [FOLDER]


def test_a_file_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    """It is no folder that could be exchanged."""
    target = tmp_path / FOLDER
    target.write_text("mine")
    with pytest.raises(TrainingError) as caught:
        write_artifact(RIDE, tmp_path)
    assert str(caught.value) == f"{target} is no folder: name another --output"
    assert target.read_text() == "mine"


def test_a_folder_that_cannot_be_looked_into_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before the long work."""

    def refuse(_path: Path) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(TrainingError) as caught:
        artifact.refuse_foreign(tmp_path)
    assert str(caught.value) == f"{tmp_path} cannot be read: Permission denied"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    """As a volume looks that was just mounted."""
    (tmp_path / FOLDER).mkdir()
    manifest = write_artifact(RIDE, tmp_path)
    assert load(tmp_path / FOLDER, RIDE).manifest == manifest
    assert names(tmp_path) == [FOLDER]


def test_a_link_is_followed(tmp_path: Path) -> None:
    """What it points to is exchanged; the link stays."""
    place = tmp_path / "elsewhere"
    write_artifact(RIDE, tmp_path)
    (tmp_path / FOLDER).rename(place)
    (tmp_path / FOLDER).symlink_to(place)
    manifest = write_artifact(RIDE, tmp_path, notes=["new"])
    assert (tmp_path / FOLDER).is_symlink()
    assert load(place, RIDE).manifest == manifest
    assert names(tmp_path) == ["elsewhere", FOLDER]


def test_the_old_files_go_with_the_old_folder(tmp_path: Path) -> None:
    """A plot of another estimator would be a lie beside the new one."""
    write_artifact(RIDE, tmp_path, draw=lambda folder: (folder / "old.png").write_bytes(b""))
    write_artifact(RIDE, tmp_path, draw=lambda folder: (folder / "new.png").write_bytes(b""))
    assert names(tmp_path / FOLDER) == sorted([*FILES, "new.png"])
    assert names(tmp_path) == [FOLDER]


class NoLibc:
    """A C library without Linux's own call."""


class Libc:
    """A C library whose exchange fails."""

    def __init__(self, code: int) -> None:
        self._code = code

    def renameat2(self, *_words: Any) -> int:
        artifact.ctypes.set_errno(self._code)
        return -1


@pytest.mark.parametrize(
    "libc", [NoLibc(), Libc(errno.EINVAL), Libc(errno.ENOSYS)], ids=["none", "EINVAL", "ENOSYS"]
)
def test_where_folders_cannot_be_exchanged_they_are_renamed(
    libc: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Other systems, and file systems that do not know how."""
    write_artifact(RIDE, tmp_path, notes=["old"])
    monkeypatch.setattr(artifact.ctypes, "CDLL", lambda *_, **__: libc)
    manifest = write_artifact(RIDE, tmp_path, notes=["new"])
    assert load(tmp_path / FOLDER, RIDE).manifest == manifest
    assert manifest.notes == ["new"]
    assert names(tmp_path) == [FOLDER]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_an_exchange_that_fails_leaves_the_old_artifact(
    code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the system's reason."""
    monkeypatch.setattr(artifact.ctypes, "CDLL", lambda *_, **__: Libc(code))
    with pytest.raises(TrainingError, match=f"cannot be written: {os.strerror(code)}; it is as"):
        write_artifact(RIDE, tmp_path)


def test_a_rename_that_fails_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first artifact ever, and the disk gives up."""

    def fail(_path: Path, _target: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(TrainingError, match="cannot be written: Read-only file system; it is as"):
        write_artifact(RIDE, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.slow
def test_the_manifest_names_the_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And whether the code differed from it; files that git does not know do not matter."""

    def git(*words: str) -> str:
        name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(project), *name, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.setattr(artifact, "_PROJECT", project)
    git("init")
    (project / "code.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "one")
    (project / "notes.txt").write_text("unknown to git")
    clean = write_artifact(RIDE, tmp_path)
    assert (clean.git_commit, clean.git_dirty) == (git("rev-parse", "HEAD"), False)
    (project / "code.py").write_text("2")
    assert write_artifact(RIDE, tmp_path).git_dirty is True


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that is no clone, or a machine without git."""
    monkeypatch.setattr(artifact, "_PROJECT", tmp_path)
    alone = write_artifact(RIDE, tmp_path)
    assert (alone.git_commit, alone.git_dirty) == (None, None)
    monkeypatch.setenv("PATH", "")
    alone = write_artifact(RIDE, tmp_path)
    assert (alone.git_commit, alone.git_dirty) == (None, None)
