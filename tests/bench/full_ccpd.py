#!/usr/bin/env python3
"""A dry run for the whole of CCPD: a tree of 355,000 officially named files in the official folders
and splits, made of hard links to some frames, is indexed, split and trained on.

usage: full_ccpd.py PLATEFORGE FRAMES [--steps N] [--folder DIR] [--keep]
Prints the time and memory of indexing, whether the splits hold what they name, and the training
rate of the first and the last quarter of the steps. FRAMES: a folder with CCPD pictures."""

import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

# Folder: files, as the published archive has them (rounded to hundreds).
FOLDERS = {
    "ccpd_base": 200_000, "ccpd_challenge": 50_000, "ccpd_tilt": 30_000, "ccpd_blur": 21_000,
    "ccpd_fn": 21_000, "ccpd_db": 10_000, "ccpd_rotate": 10_000, "ccpd_weather": 10_000,
    "ccpd_np": 3_000,
}
SPLITS = {"train.txt": 100_000, "val.txt": 100_000}  # of ccpd_base; test.txt is the rest


def make_tree(tree, frames):
    """Every file has a name of its own: the area field, which nothing is read from, counts."""
    pictures = sorted(frames.glob("*.jpg"))
    if not pictures:
        sys.exit(f"{frames} holds no .jpg")
    listed = {}
    for folder, count in FOLDERS.items():
        (tree / folder).mkdir(parents=True)
        names = []
        for i in range(count):
            picture = pictures[i % len(pictures)]
            rest = picture.name.split("-", 1)[1]
            name = f"{i:07d}.jpg" if folder == "ccpd_np" else f"{i:013d}-{rest}"
            os.link(picture, tree / folder / name)
            names.append(f"{folder}/{name}")
        listed[folder] = names
    (tree / "splits").mkdir()
    base, first = listed["ccpd_base"], 0
    for split, count in SPLITS.items():
        (tree / "splits" / split).write_text("\n".join(base[first:first + count]) + "\n")
        first += count
    rest = [name for folder, names in listed.items() if folder not in ("ccpd_base", "ccpd_np")
            for name in names]
    (tree / "splits" / "few.txt").write_text("\n".join(base[-1000:]) + "\n")
    (tree / "splits" / "test.txt").write_text("\n".join(rest) + "\n")


def measured(command):
    """Standard output, seconds, peak memory in MB of a command."""
    start = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True)
    seconds = time.monotonic() - start
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return result.stdout, seconds, peak / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("plateforge")
    parser.add_argument("frames", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=2000, help="0: no training")
    parser.add_argument("--folder", type=pathlib.Path, help="for tree and run, on the frames' disk")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(dir=args.folder or args.frames.parent))
    try:
        tree = folder / "ccpd"
        start = time.monotonic()
        make_tree(tree, args.frames)
        print(f"tree: {sum(FOLDERS.values())} files linked in {time.monotonic() - start:.1f} s")

        for spec, wanted in [
            (f"ccpd:{tree}", sum(FOLDERS.values()) - FOLDERS["ccpd_np"]),
            (f"ccpd:{tree}?subset=db,blur", FOLDERS["ccpd_db"] + FOLDERS["ccpd_blur"]),
            *((f"ccpd:{tree}?split=splits/{name}", count) for name, count in SPLITS.items()),
        ]:
            stats, seconds, peak = measured(
                [args.plateforge, "data", "stats", "--data", spec, "--no-sizes", "--json", "-"])
            found = json.loads(stats)["samples"]
            print(f"{spec.removeprefix('ccpd:' + str(folder))}: {found} plates in {seconds:.1f} s, "
                  f"{peak:.0f} MB at most so far")
            if found != wanted:
                sys.exit(f"expected {wanted}")

        if args.steps == 0:
            return
        run = folder / "run"
        _, seconds, peak = measured([
            args.plateforge, "train", "--config", "lprnet_cn.yaml", "--run", run,
            "--set", f"data.train=ccpd:{tree}?split=splits/train.txt",
            "--set", f"data.val=ccpd:{tree}?split=splits/few.txt",
            "--set", f"train.steps={args.steps}", "--set", f"train.eval_every={args.steps}",
            "--set", "data.batch_size=64", "--set", "data.recombine=0"])
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        rates = [line["images_per_second"] for line in lines if "images_per_second" in line]
        quarter = max(1, len(rates) // 4)
        first, last = (sum(part) / quarter for part in (rates[:quarter], rates[-quarter:]))
        memory = [line["memory_bytes"] / 2**20 for line in lines if "memory_bytes" in line]
        print(f"training: {args.steps} steps in {seconds:.0f} s; {first:.0f} img/s in the first "
              f"quarter, {last:.0f} in the last; {memory[0]:.0f} MB at first, {memory[-1]:.0f} at last")
    finally:
        if not args.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
