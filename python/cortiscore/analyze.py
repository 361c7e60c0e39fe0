"""`python -m cortiscore.analyze QUESTION`: what `cortiscore analyze` runs. docs/analysis.md says what each question's numbers mean."""
import argparse
import importlib
import sys

from .recordings import Parser, Usage, json_line, printable, run

QUESTIONS = {
    "imagenet": "does accuracy on ImageNet go with scores, and until where?",
    "best": "which network is best, and which are not told from it?",
    "unexplained": "how much of the responses does no network explain?",
    "benchmarks": "which benchmarks say the same, and what does each put into the composite?",
    "size": "do larger and deeper networks score higher, and which small ones stand out?",
}
SIZES = {"imagenet": (6, 4.2), "best": (6, 5), "unexplained": (6.5, 4.2), "benchmarks": (6.5, 5.5), "size": (6.5, 4.5)}


def whole(least, most):
    """An argparse type: a whole number between these."""
    def read(text):
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"found {text}, expected a whole number, {least} to {most}")
        return value

    return read


def between(least, most):
    """An argparse type: a number above `least` and below `most`."""
    def read(text):
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least < value < most:
            raise argparse.ArgumentTypeError(f"found {text}, expected a number between {least:g} and {most:g}")
        return value

    return read


def ceiling(text):
    """COLUMN=VALUE as a pair."""
    name, _, value = text.rpartition("=")
    if not name:
        raise argparse.ArgumentTypeError(f"found {text}, expected COLUMN=VALUE")
    value = between(0, 1.0000001)(value)
    return name, value


def parser_of():
    common = Parser(add_help=False)
    common.add_argument("--results", metavar="DIR", help="the store; default $CORTISCORE_HOME/results")
    common.add_argument("--tree", help="how benchmarks become one; default average_vision; with --table, the tree that reads the table")
    common.add_argument("--table", metavar="FILE", help="published scores (.csv, .tsv), a column model and one a score; with --results, or "
                        "without scores, only what it knows of the networks: imagenet_top1 (per cent), parameters, depth")
    common.add_argument("--draws", type=whole(100, 1000000), default=10000, help="of the bootstrap over networks; default 10000")
    common.add_argument("--seed", type=whole(0, 2**63 - 1), default=0, help="of the draws; default 0")
    common.add_argument("--level", type=between(0.5, 1), default=0.95, help="share of draws that intervals hold; default 0.95")
    common.add_argument("--json", action="store_true", help="print one JSON object")
    common.add_argument("--plot", metavar="FILE", help="draw it: .svg, .png or .pdf (matplotlib)")
    common.add_argument("--network", metavar="PATTERN", help="only networks like this (*, ?)")
    common.add_argument("--benchmark", metavar="PATTERN", help="only benchmarks like this")
    common.add_argument("--region", help="only benchmarks of this region")
    common.add_argument("--species", help="only benchmarks of this species")
    common.add_argument("--public", action="store_true", help="only benchmarks whose data are public")
    common.add_argument("--since", metavar="DATE", help="only records since then")
    common.add_argument("--convention", help="only scores that became ceiled this way: r2_over_c, r_over_c, ...")
    common.add_argument("--tag", metavar="KEY=VALUE", action="append", help="only records with this tag")
    parser = Parser(prog="cortiscore analyze", description="What scores say together, with intervals from a bootstrap over networks.")
    verbs = parser.add_subparsers(dest="question", metavar="QUESTION", required=True)
    for name, text in QUESTIONS.items():
        verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:], parents=[common])
        if name == "imagenet":
            verb.add_argument("--breakpoint", type=between(0, 100), default=70, metavar="PERCENT",
                              help="top-1 at which networks are parted; default 70")
        if name == "unexplained":
            verb.add_argument("--ceiling", type=ceiling, action="append", metavar="COLUMN=VALUE", default=[],
                              help="reliability of the data of a table's column, whose scores are correlations")
    return parser


def main(words=None):
    arguments = parser_of().parse_args(words)
    if arguments.plot and not arguments.plot.lower().endswith((".svg", ".png", ".pdf")):
        raise Usage(f"--plot: found {arguments.plot}, expected a name that ends with .svg, .png or .pdf.")
    from .analysis import output
    from .analysis.resampling import Resampling

    question = importlib.import_module(f".analysis.{arguments.question}", __package__)
    found = question.analyse(arguments, Resampling(arguments.draws, arguments.seed, arguments.level))
    found = output.clean(found)
    sentence = question.sentence(found, arguments.level)
    if arguments.plot:
        output.with_figure(arguments.plot, lambda figure: question.plot(found, figure), SIZES[arguments.question])
    if arguments.json:
        settings = {"question": arguments.question, "level": arguments.level, "draws": arguments.draws, "seed": arguments.seed}
        print(json_line({**settings, **found, "sentence": sentence}))
        return
    print("\n".join(question.table(found)), end="\n\n")
    print(printable(sentence))
    for note in found["notes"]:
        print(f"note: {printable(note)}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
