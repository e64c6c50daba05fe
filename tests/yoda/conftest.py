from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.fixture
def samples() -> Path:
    folder = SHARED / "yoda" / "samples"
    if not folder.is_dir():
        pytest.skip("the folder shared/yoda/samples is not beside this checkout")
    return folder


@pytest.fixture
def reference() -> Path:
    folder = SHARED / "reference"
    if not folder.is_dir():
        pytest.skip("the folder shared/reference is not beside this checkout")
    return folder
