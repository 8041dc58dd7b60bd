"""The command `dpeformer`: its subcommands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.launcher import load_stage, run_stage

RUN = "results/synthetic/dpeformer/seed0"
"""The run of the examples."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a subcommand; invalid input ends it with one line and status 1."""
    values = vars(make_parser().parse_args(arguments))
    run_stage(load_stage(values.pop("stage")), values)


def make_parser() -> argparse.ArgumentParser:
    """Build the parser; a subcommand's options are the arguments of its `stage`."""
    parser = argparse.ArgumentParser(
        prog="dpeformer",
        description="Use the networks that the DPEFormer workflow trained, and check its results.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_add_embed, _add_search, _add_export, _add_trace, _add_agree, _add_relocate):
        add(commands)
    return parser


def _add(commands: Any, name: str, stage: str, text: str, example: str) -> argparse.ArgumentParser:
    """Add the subcommand `name`, which runs the function `stage` (module:function)."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"example:\n  dpeformer {name} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(stage=stage)
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=Path, required=True, help=f"folder of a run, such as {RUN}, or its weights"
    )


def _add_network(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU if any"
    )


def _add_embed(commands: Any) -> None:
    parser = _add(
        commands,
        "embed",
        "pipeline.use.embed:embed",
        "embed pictures with a trained network",
        f"gallery/ --model {RUN} --output gallery.npz",
    )
    parser.add_argument(
        "pictures", type=Path, nargs="+", help="pictures, and folders that are searched for them"
    )
    _add_network(parser)
    parser.add_argument(
        "--output", type=Path, required=True, help="file of features (.npz); what it lacks is added"
    )


def _add_search(commands: Any) -> None:
    parser = _add(
        commands,
        "search",
        "pipeline.use.search:search",
        "find the pictures of a gallery that are most similar to each query",
        f"--query queries/ --gallery gallery.npz --model {RUN} --output ranks.csv",
    )
    source = "folder, picture or file of features (.npz)"
    parser.add_argument("--query", type=Path, required=True, help=source)
    parser.add_argument("--gallery", type=Path, required=True, help=source)
    _add_network(parser)
    parser.add_argument("--top", type=_count, default=10, help="matches per query (default: 10)")
    parser.add_argument("--output", type=Path, required=True, help="table of ranked matches (CSV)")
    parser.add_argument("--page", type=Path, help="also show the matches on a page (HTML)")


def _add_export(commands: Any) -> None:
    parser = _add(
        commands,
        "export",
        "pipeline.use.export:export",
        "write a trained network as an ONNX model",
        f"--model {RUN} --output model.onnx",
    )
    _add_model(parser)
    parser.add_argument("--output", type=Path, required=True, help="ONNX model")


def _add_trace(commands: Any) -> None:
    parser = _add(
        commands,
        "trace",
        "pipeline.provenance.trace:trace",
        "list all files that a result depends on, and verify their hashes",
        "--file results/synthetic/tables/components.csv --cell dpeformer/blended",
    )
    parser.add_argument("--file", type=Path, required=True, help="any result")
    parser.add_argument("--cell", default="", help="row of a table: variant/feature, or a variant")


def _add_agree(commands: Any) -> None:
    parser = _add(
        commands,
        "agree",
        "pipeline.tables.agree:agree",
        "check that a table agrees with that of another machine",
        "--table results/synthetic/tables/components.csv --reference other.csv",
    )
    parser.add_argument("--table", type=Path, required=True, help="table (CSV)")
    parser.add_argument("--reference", type=Path, required=True, help="the other machine's table")


def _add_relocate(commands: Any) -> None:
    parser = _add(
        commands,
        "relocate",
        "pipeline.tracking.relocate:relocate",
        "point MLflow at its artifacts after the project was moved",
        "--database results/mlflow.db",
    )
    parser.add_argument("--database", type=Path, required=True, help="MLflow's sqlite file")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, found {text}")
    return int(text)


if __name__ == "__main__":
    main()
