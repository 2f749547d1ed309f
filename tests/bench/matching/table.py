#!/usr/bin/env python3
"""One line of the table of run.sh: table.py --head | table.py concord|splink SET FILE.json"""
import json
import sys

COLUMNS = [
    ("tool", 8), ("set", 12), ("seconds", 8), ("CPU s", 8), ("MiB", 6), ("best F1", 8), ("R at P99", 9),
    ("default P", 10), ("R", 7), ("F1", 7), ("cluster F1", 11), ("hard neg", 9), ("review", 7),
]


def line(values):
    return "".join(str(value).rjust(width) for value, (_, width) in zip(values, COLUMNS))


def share(value):
    return "-" if value is None else f"{value:.4f}"


def concord(name, d):
    quality, clusters = d["quality"], d["quality"]["clusters"] or {}
    default = quality["at"][0]
    return [
        "concord", name, f"{d['seconds']:.1f}", f"{d['cpu_seconds']:.1f}", d["peak_mib"], share(quality["best"]["f1"]),
        share(quality["recall_at_p99"]), share(default["precision"]), share(default["recall"]), share(default["f1"]),
        share(clusters.get("f1")), share(clusters.get("hard_negative_rate")), share(d["reviews"] / max(1, d["records"])),
    ]


def taught(name, d, when):
    """What labels make of a model, measured on all pairs but theirs."""
    quality = d["labels"][when]
    clusters, default = quality["clusters"] or {}, quality["at"][0]
    return [
        when, name, "", "", "", share(quality["best"]["f1"]), share(quality["recall_at_p99"]),
        share(default["precision"]), share(default["recall"]), share(default["f1"]),
        share(clusters.get("f1")), share(clusters.get("hard_negative_rate")), share(quality["reviews"] / max(1, d["records"])),
    ]


def splink(name, d):
    clusters = d.get("clusters_p0.9") or {}
    default = d["at_p0.9"]
    return [
        "splink", name, d["core_s"], d["cpu_s"], d["peak_mib"], share(d["best"]["f1"]), share(d["recall_at_p99"]),
        share(default["p"]), share(default["r"]), share(default["f1"]), share(clusters.get("f1")),
        share(clusters.get("hard_neg_rate")), "-",
    ]


if sys.argv[1] == "--head":
    print(line([name for name, _ in COLUMNS]))
else:
    with open(sys.argv[3], encoding="utf-8") as file:
        told = json.load(file)
    print(line({"concord": concord, "splink": splink}[sys.argv[1]](sys.argv[2], told)), flush=True)
    if "laps" in told:
        steps = ", ".join(f"{name} {clock:.1f} ({cpu:.1f})" for name, clock, cpu in told["laps"])
        print(f"{'':20}seconds by the clock (of the processors): {steps}", flush=True)
    lesson = told.get("labels")
    if lesson:
        verdict = "adopted" if lesson["adopted"] else "not adopted"
        gain = f"{lesson['gain']:.3f} bits better, give or take {lesson['error']:.3f}"
        print(f"{'':20}{lesson['labels']} labels foretell one unseen {gain}: {verdict}; all other pairs before and after:")
        for when in ("before", "after"):
            print(line(taught(sys.argv[2], told, when)), flush=True)
