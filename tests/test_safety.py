"""Files that somebody else may have made: read, and never obeyed."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import yaml
from PIL import Image

from helpers import Workflow, refused
from robustmia.data.cifar10 import CIFAR10
from robustmia.data.image_folder import ImageFolder
from robustmia.errors import UserError

NO_NETWORK = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}


def png(shade: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (4, 5), shade).save(content, "png")
    return content.getvalue()


class Planted:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_batch_of_cifar10_that_is_not_the_published_one_is_not_unpickled(tmp_path, monkeypatch):
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Planted(tmp_path / "planted")))
    with refused(str(folder), "CIFAR10"):
        CIFAR10(name="cifar10").load(tmp_path)
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("name", ["../escaped.png", "/escaped.png", "a/../../escaped.png"])
def test_members_of_a_zip_do_not_leave_it(tmp_path, name):
    """It is read in place: no member is ever written anywhere."""
    archive = tmp_path / "data" / "faces.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(name, png(1))
        for label in ("a", "b"):
            for number in range(2):
                made.writestr(f"{label}/{number}.png", png(number))
    before = set(tmp_path.rglob("*"))
    try:
        records = ImageFolder(name="image_folder", path="faces.zip").load(archive.parent)
    except UserError:
        pass
    else:
        assert not [name for name in records.class_names if "/" in name]
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/escaped.png").exists()


def test_a_configuration_makes_no_objects(tmp_path):
    workflow = Workflow.copy(tmp_path / "workflow")
    planted = tmp_path / "planted"
    (workflow.folder / "evil.yaml").write_text(f"results_dir: !!python/object/apply:os.mkdir [{planted}]\n")
    done = workflow.run("--dry-run", "--configfile", "evil.yaml")
    assert done.returncode
    assert not planted.exists()


def test_names_in_a_configuration_forge_no_lines(tmp_path):
    workflow = Workflow.copy(tmp_path / "workflow")
    name = "pgd\nrobustmia: everything is well\x1b[2J"
    run = {"method": {"name": "pgd", "epsilon": 0.1}}
    (workflow.folder / "evil.yaml").write_text(yaml.safe_dump({"datasets": {"digits": {"runs": {name: run}}}}))
    done = workflow.run("--dry-run", "--configfile", "evil.yaml")
    assert done.returncode
    said = [line for line in done.stdout.splitlines() if line.startswith("robustmia: ")]
    assert len(said) == 1
    assert r"pgd\nrobustmia: everything is well\x1b[2J" in said[0]
