"""The package as such: what it says of itself, its names, its stubs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from support import script

import headwater as hw

HERE = Path(__file__).parent


def test_build_info_says_what_this_is():
    info = hw.build_info()
    assert info["version"] == hw.__version__
    assert info["profile"] in ("debug", "release")
    assert info["threads"] >= 1


def test_a_debug_build_warns_on_import_unless_told_not_to():
    code = "import warnings; warnings.simplefilter('error'); import headwater"
    told = script(code)
    assert told.returncode == 0, told.stderr
    if hw.build_info()["profile"] == "debug":
        untold = script(code, HEADWATER_ALLOW_DEBUG="")
        assert "RuntimeWarning: headwater was built without optimisation" in untold.stderr


def test_importing_headwater_imports_no_frame_or_plotting_library():
    code = (
        "import sys, headwater\n"
        "print(sorted({'pandas', 'polars', 'pyarrow', 'numpy', 'matplotlib', 'tqdm'} & set(sys.modules)))"
    )
    assert script(code).stdout.strip() == "[]"


def test_every_public_name_has_a_docstring():
    bare = [
        f"{module.__name__}.{name}"
        for module in (hw, hw.errors, hw.simulate)
        for name in module.__all__
        if not (inspect.getdoc(getattr(module, name)) or "").strip()
    ]
    assert not bare


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "mypy.stubtest", "headwater", "--allowlist", "stubtest-allowlist.txt"],
        ["-m", "mypy"],
        ["-m", "mypy", "tests/typed.py"],
    ],
    ids=["stubtest", "code", "caller"],
)
def test_types_are_true(command):
    done = subprocess.run(
        [sys.executable, *command], cwd=HERE.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_error_has_its_code_and_its_builtin_base():
    assert issubclass(hw.ColumnError, ValueError)
    assert issubclass(hw.RowError, ValueError)
    assert issubclass(hw.OptionError, ValueError)
    assert issubclass(hw.NotEnoughDataError, ValueError)
    assert issubclass(hw.ModelFileError, ValueError)
    assert issubclass(hw.FileError, OSError)
    classes = [getattr(hw, name) for name in hw.errors.__all__ if name.endswith("Error")]
    assert all(issubclass(cls, hw.HeadwaterError) for cls in classes)
    assert len({cls.code for cls in classes}) == len(classes)
