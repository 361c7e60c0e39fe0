"""A composite taken apart: what each benchmark puts into it, and the composite without one. The rules are src/benchmark/tree.cpp's."""
import json
import pathlib

import numpy as np

from .. import layout
from ..binary import ask
from ..recordings import BadInput, default_home


def tree_files():
    """Files of the trees of this project, and of $CORTISCORE_HOME/trees."""
    return [path for folder in (layout.manifests() / "trees", default_home() / "trees") for path in sorted(folder.glob("*.json"))]


def tree_file(name):
    """The file of a tree, by its path, or by the identifier in it: of this project, or of $CORTISCORE_HOME/trees.
    @raises BadInput"""
    if name.endswith(".json"):
        return pathlib.Path(name)
    for path in tree_files():
        if json.loads(path.read_text(encoding="utf-8")).get("identifier") == name:
            return path
    raise BadInput(f"tree {name}: found no file of it, expected one in {layout.manifests() / 'trees'} or {default_home() / 'trees'}.")


def read_tree(name, seen):
    """The tree with the benchmarks of `seen` hung into it: {"missing", "clip", "raw", "root"}; nodes are (weight, name or None, children or
    None), leaves have no children.

    :param seen: identifiers of the benchmarks that take part
    """
    path = tree_file(name)
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        listed = {line["identifier"]: line for line in ask("benchmark", "list")}
        hung = {}
        for identifier in seen:
            line = listed.get(identifier)
            if line and line.get("composite", True):
                hung.setdefault(line["parent"], []).append((manifest_weight(line), identifier, None))

        def read(node):
            if "benchmark" in node:
                return (node.get("weight", 1.0), node["benchmark"], None)
            children = [child for child in map(read, node.get("children", [])) if child]
            children += sorted(hung.get(node.get("attach"), []), key=lambda leaf: leaf[1]) if node.get("attach") else []
            return (node.get("weight", 1.0), node["name"], children) if children else None

        return {"missing": tree["missing"], "clip": tree.get("clip", True), "raw": tree["leaf"] == "raw", "root": read(tree["tree"])}
    except (OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        found = f"{type(error).__name__}: {error}"
        raise BadInput(f"{path}: found no tree that can be read ({found}), expected one of schema version 1.") from None


def manifest_weight(line):
    """The weight that a benchmark's manifest gives it."""
    return float(json.loads(pathlib.Path(line["manifest"]).read_text(encoding="utf-8")).get("weight", 1.0))


def without(node, benchmark):
    """The tree's node without this leaf, and without nodes that are empty then; None where nothing is left."""
    weight, name, children = node
    if children is None:
        return None if name == benchmark else node
    kept = [child for child in (without(child, benchmark) for child in children) if child]
    return (weight, name, kept) if kept else None


def contributions(tree, root, leaves):
    """What every benchmark puts into a node: ([networks] the node's value, {benchmark: [networks]}), whose sum it is; values may be
    [networks, draws] as well. NaN where the node has no value.

    :param leaves: values by benchmark, NaN where missing
    """
    _, name, children = root
    if children is None:
        value = leaves[name]
        value = np.clip(value, 0, 1) if tree["clip"] else value
        return value, {name: value}
    visited = [(child[0], *contributions(tree, child, leaves)) for child in children]
    present = sum(weight * np.isfinite(value) for weight, value, _ in visited)
    every = sum(weight for weight, _, _ in visited)
    total = present if tree["missing"] == "skip" else np.full(np.shape(present), float(every))
    has = present > 0
    if tree["missing"] == "none":
        has = has & (present == every)
    parts = {}
    with np.errstate(all="ignore"):
        for weight, _, below in visited:
            for benchmark, part in below.items():
                share = weight * np.nan_to_num(part) / total
                parts[benchmark] = np.where(has, parts.get(benchmark, 0.0) + share, np.nan)
    return np.where(has, sum(parts.values()), np.nan), parts


def rebuilt(name, scores):
    """The tree of a ranking with its benchmarks, or None where what comes out is not the ranking's composite.

    :param scores: inputs.Scores of `rank --json`
    """
    benchmarks = scores.of_kind("benchmark")
    if not benchmarks:
        return None
    tree = read_tree(name, benchmarks)
    if tree["root"] is None:
        return None
    leaves = {leaf: scores.columns.get(leaf, np.full(len(scores.networks), np.nan)) for leaf in leaves_of(tree["root"])}
    value, _ = contributions(tree, tree["root"], leaves)
    return (tree, leaves) if np.allclose(value, scores.columns[scores.composite], rtol=0, atol=1e-9, equal_nan=True) else None


def leaves_of(node):
    """Benchmarks below a node."""
    return [node[1]] if node[2] is None else [leaf for child in node[2] for leaf in leaves_of(child)]


def walk(tree, node, leaf_values):
    """(name, whether a benchmark, values) of every node, children before parents; memory for one path from the root.

    :param leaf_values: identifier -> [networks, draws], NaN where missing
    """
    _, name, children = node
    if children is None:
        value = leaf_values(name)
        value = np.clip(value, 0, 1) if tree["clip"] else value
        yield name, True, value
        return
    total = present = 0.0
    for child in children:
        for entry in walk(tree, child, leaf_values):
            yield entry
        has = np.isfinite(entry[2])  # the last is the child itself
        total, present = total + child[0] * np.where(has, entry[2], 0), present + child[0] * has
    every = sum(child[0] for child in children)
    with np.errstate(all="ignore"):
        value = total / (present if tree["missing"] == "skip" else every)
    defined = present == every if tree["missing"] == "none" else present > 0
    yield name, False, np.where(defined, value, np.nan)
