"""Every method on other streams than rgb and flow: one alone, three, and without sound. About an hour.

python -m benchmarks.streams            the simulated world, one seed, one round
python -m benchmarks.streams --demo     the demo's features; run `make demo` first

Each line: average mAP in % over tIoU 0.1 to 0.7, by the streams that are read as classification view.
"""

import statistics
import sys

from benchmarks.methods import Tree, build_dataset, list_map_paths, read_average_map, read_project_config, run_workflow

CBP_STREAMS: dict[str, list[str]] = {
    "rgb and flow": ["rgb", "flow"],
    "rgb": ["rgb"],
    "clip": ["clip"],
    "rgb, flow and clip": ["rgb", "flow", "clip"],
}
METHODS: dict[str, Tree] = {
    "stpn": {"method": "stpn", "losses": {"sparsity": 0.05}},
    "wsal_bm": {"method": "wsal_bm"},
    "tscn": {"method": "tscn"},
    "tcam": {"method": "tcam"},
    "apsl_reconstructed": {"method": "apsl_reconstructed"},
    "ugct": {"method": "ugct"},
    "ccp": {"method": "clip_ae", "ccp": {}},
    "clip_ae": {"method": "clip_ae", "caf": {}, "ccp": {}},
    "ridge": {"method": "ridge", "supervision": "weak"},
    "oracle": {"method": "oracle", "supervision": "full"},
}


def main(arguments: list[str]) -> None:
    runs = build_runs()
    changes: Tree = {"runs": list(runs), "main_run": next(iter(runs)), "rounds": 1, "seeds": [0]}
    if arguments == ["--demo"]:
        name, data = "demo", {**read_project_config()["datasets"]["demo"], **changes}
        # As `make demo` has it: its networks and features are not made again.
        threads: Tree = {"torch_threads": read_project_config()["torch_threads"]}
    else:
        name, data, threads = "simulated_streams", build_dataset(**changes), {}
    paths = list(list_map_paths(name, data))
    run_workflow({"datasets": {name: data}, "runs": runs, **threads}, *paths)
    print(f"{'':20}", *(f"{streams:>20}" for streams in CBP_STREAMS))
    for method in METHODS:
        means = [
            statistics.fmean(read_average_map(path) for path in paths if f"/{name_run(method, streams)}/" in path)
            for streams in CBP_STREAMS
        ]
        print(f"{method:20}", *(f"{mean:20.1f}" for mean in means))


def build_runs() -> dict[str, Tree]:
    return {
        name_run(method, streams): {**run, "cbp_streams": names}
        for method, run in METHODS.items()
        for streams, names in CBP_STREAMS.items()
    }


def name_run(method: str, streams: str) -> str:
    return f"{method}-{'-'.join(CBP_STREAMS[streams])}"


if __name__ == "__main__":
    main(sys.argv[1:])
