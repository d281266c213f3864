"""The examples: the same numbers from three languages, the README's code as printed, notebooks, a user's own files."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
RETAIL = ROOT.parent / "shared" / "data" / "online_retail" / "online_retail_2010_2011.parquet"
SIZE = "40000"


def run(*command: str | pathlib.Path, cwd: pathlib.Path = ROOT) -> str:
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def python_story(folder: pathlib.Path, *options: str | pathlib.Path) -> str:
    script = ROOT / "examples" / "python" / "customer_360.py"
    return run(sys.executable, script, "--html", folder / "story.html", *options)


@pytest.fixture(scope="module")
def python_numbers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("python")
    python_story(folder, "--size", SIZE, "--numbers", folder / "numbers.json")
    page = (folder / "story.html").read_text()
    assert page.count("data:image/png;base64,") >= 10
    assert 'src="http' not in page, "the page is self-contained"
    assert "<script" not in page
    found: dict[str, Any] = json.loads((folder / "numbers.json").read_text())
    return found


def same(ours: Any, theirs: Any, where: str) -> None:
    """Equal to the last bit: JSON carries doubles whole."""
    if isinstance(ours, dict):
        for key in theirs:
            assert key in ours, f"{where}.{key}"
            same(ours[key], theirs[key], f"{where}.{key}")
    else:
        assert ours == theirs, where


def test_rust_tells_the_same_story(python_numbers: dict[str, Any], tmp_path: pathlib.Path) -> None:
    story = TARGET / "debug" / "examples" / "customer_360"
    run(story, "--size", SIZE, "--numbers", tmp_path / "numbers.json")
    rust = json.loads((tmp_path / "numbers.json").read_text())
    assert len(rust) >= 14
    same(python_numbers, rust, "rust")


def test_node_tells_the_same_story(python_numbers: dict[str, Any], tmp_path: pathlib.Path) -> None:
    story = ROOT / "examples" / "node" / "customer_360.mjs"
    run("node", story, "--size", SIZE, "--numbers", tmp_path / "numbers.json")
    node = json.loads((tmp_path / "numbers.json").read_text())
    assert len(node) >= 14
    same(python_numbers, node, "node")


def test_the_story_is_true(python_numbers: dict[str, Any]) -> None:
    """What the golden numbers say of the same data."""
    params = python_numbers["cdnow_beta_geo"]["params"]
    assert params == pytest.approx(
        [0.2425945224301571, 4.413602019013504, 0.7929220172255976, 2.425906776826332], rel=1e-8
    )
    assert python_numbers["cdnow_beta_geo"]["log_likelihood"] == pytest.approx(-9582.429206673931, rel=1e-10)
    credit = python_numbers["paths_credit"]
    first = {
        channel: conversions
        for model, channel, conversions in zip(
            credit["model"], credit["channel"], credit["conversions"], strict=True
        )
        if model == "first"
    }
    assert first["eta"] == 3164
    assert first["alpha"] == 6308
    assert python_numbers["febrl"]["precision"] == 1.0
    assert python_numbers["febrl"]["recall"] > 0.97
    assert python_numbers["market_identity"]["precision"] > 0.8
    assert python_numbers["market_identity"]["recall"] > 0.8


def blocks(language: str, page: pathlib.Path = ROOT / "README.md") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.S)


PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks("python", page)], ids=lambda page: page.stem
)
def test_the_pages_in_python(page: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "page.py").write_text("\n".join(blocks("python", page)))
    run(sys.executable, "page.py", cwd=tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks("js", page)], ids=lambda page: page.stem)
def test_the_pages_in_node(page: pathlib.Path, tmp_path: pathlib.Path) -> None:
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "headwater").symlink_to(ROOT / "bindings-node", target_is_directory=True)
    (tmp_path / "page.mjs").write_text("\n".join(blocks("js", page)))
    run("node", "page.mjs", cwd=tmp_path)


def test_the_readme_in_python(tmp_path: pathlib.Path) -> None:
    (code,) = blocks("python")
    (tmp_path / "readme.py").write_text(code)
    assert "shapley" in run(sys.executable, "readme.py", cwd=tmp_path)
    assert json.loads((tmp_path / "clv.json").read_text())["headwater"]["kind"] == "clv.BetaGeo"


def test_the_readme_in_node(tmp_path: pathlib.Path) -> None:
    (code,) = blocks("js")
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "headwater").symlink_to(ROOT / "bindings-node", target_is_directory=True)
    (tmp_path / "readme.mjs").write_text(code)
    assert "alpha" in run("node", "readme.mjs", cwd=tmp_path)


@pytest.mark.timeout(1800)  # it compiles the crate
def test_the_readme_in_rust(tmp_path: pathlib.Path) -> None:
    (code,) = blocks("rust")
    uses, _, body = code.partition("\n\n")
    package = tmp_path / "readme"
    (package / "src").mkdir(parents=True)
    (package / "src" / "main.rs").write_text(
        f"{uses}\nfn main() -> Result<(), headwater::Error> {{\n{body}\nOk(())\n}}\n"
    )
    (package / "Cargo.toml").write_text(
        '[package]\nname = "readme"\nversion = "0.1.0"\nedition = "2024"\n[workspace]\n'
        f'[dependencies]\nheadwater = {{ path = "{ROOT / "core"}", features = ["arrow"] }}\n'
        # Dependencies as they are built already; the crate as soon as it can be.
        '[profile.dev.package."*"]\nopt-level = 1\ndebug = false\n'
        "[profile.dev.package.headwater]\nopt-level = 0\n"
    )
    shutil.copy(ROOT / "Cargo.lock", package / "Cargo.lock")
    found = run("cargo", "run", "--quiet", "--target-dir", TARGET, cwd=package)
    assert found.startswith("[")
    assert "NaN" not in found


def test_the_notebooks_run(tmp_path: pathlib.Path) -> None:
    for source in sorted((ROOT / "examples" / "python").glob("*.md")):
        notebook = tmp_path / f"{source.stem}.ipynb"
        run(sys.executable, "-m", "jupytext", "--quiet", "--to", "ipynb", "--output", notebook, source)
        run(
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbmake", notebook, cwd=tmp_path
        )


def test_a_users_own_files(tmp_path: pathlib.Path) -> None:
    import headwater as hw

    world = hw.simulate.market(people=1500, days=120, seed=3, backend="polars")
    world.events.write_csv(tmp_path / "events.csv")
    world.orders.write_parquet(tmp_path / "orders.parquet")
    found = python_story(
        tmp_path, "--events", tmp_path / "events.csv", "--orders", tmp_path / "orders.parquet"
    )
    assert "stitch identifiers" in found
    assert (tmp_path / "story.html").stat().st_size > 50_000


@pytest.mark.skipif(not RETAIL.exists(), reason="the Online Retail data are not here")
def test_online_retail(tmp_path: pathlib.Path) -> None:
    found = python_story(
        tmp_path, "--orders", RETAIL, "--customer", "CustomerID", "--time", "InvoiceDate",
        "--value", "UnitPrice", "--quantity", "Quantity", "--order", "InvoiceNo",
    )  # fmt: skip
    print(found)
    assert re.search(r"dropped\s+5,268 rows\s+exact duplicates", found)
    assert re.search(r"dropped\s+135,0\d\d rows\s+no customer", found)
    assert re.search(r"4,338 customers", found)
