"""`cortiscore report` and `cortiscore serve`: the store as a site of one page that asks nothing of a network, with its tables beside it.

docs/leaderboard.md says what it shows.
"""
import contextlib
import pathlib
import sys

from ..recordings import Parser, printable, run
from .data import gather
from .page import check_target, write_site
from .server import serve

FILTERS = {"--network": "PATTERN", "--benchmark": "PATTERN", "--region": "REGION", "--species": "SPECIES", "--since": "DATE",
           "--convention": "NAME"}


def parser(serving):
    made = Parser(prog=f"cortiscore {'serve' if serving else 'report'}",
                  description="The store as a page on this machine that follows it" if serving else
                  "The store as a site: a leaderboard, a card of every network and benchmark, comparisons, curves, in one file")
    if serving:
        made.add_argument("--port", type=int, default=8000, help="of 127.0.0.1; default 8000; 0 takes any that is free")
    else:
        made.add_argument("-o", "--output", default="site", metavar="FOLDER",
                          help="default site; a site that is there is replaced as a whole")
    made.add_argument("--results", metavar="FOLDER", help="store of results; default $CORTISCORE_HOME/results")
    made.add_argument("--tree", default="average_vision", help="how benchmarks become one: a tree, or its file")
    made.add_argument("--title", default="Cortiscore", help="heads the page")
    made.add_argument("--table", metavar="FILE",
                      help="attributes of networks: .csv with a column model, and any such as imagenet_top1, parameters, depth")
    made.add_argument("--thumbnails", action="store_true", default=True,
                      help="small pictures of stimuli whose licence allows it (the default)")
    made.add_argument("--no-thumbnails", dest="thumbnails", action="store_false")
    for flag, value in FILTERS.items():
        made.add_argument(flag, metavar=value, help="as `cortiscore rank` takes it")
    made.add_argument("--tag", metavar="KEY=VALUE", action="append", default=[], help="as `cortiscore rank` takes it")
    made.add_argument("--public", action="store_true", help="as `cortiscore rank` takes it")
    return made


def filters_of(options):
    chosen = {flag: getattr(options, flag.removeprefix("--")) for flag in FILTERS}
    words = [word for flag, value in chosen.items() if value is not None for word in (flag, value)]
    words += [word for tag in options.tag for word in ("--tag", tag)]
    return [*words, *(["--public"] if options.public else [])]


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    serving = arguments[:1] == ["serve"]
    options = parser(serving).parse_args(arguments[1:] if serving else arguments)
    how = {"results": options.results, "tree": options.tree, "title": options.title, "table": options.table, "filters": filters_of(options),
           "thumbnails": options.thumbnails}
    if serving:
        serve(how, options.port)
        return
    check_target(pathlib.Path(options.output))
    site = gather(**how, notes=True)
    for note in site.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    target = write_site(site, options.output)
    with contextlib.suppress(ValueError):
        target = target.relative_to(pathlib.Path.cwd())
    print(f"{target / 'index.html'}: {len(site.networks)} networks on {len(site.benchmarks)} benchmarks")


if __name__ == "__main__":
    run(main)
