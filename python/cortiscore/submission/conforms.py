"""JSON documents against the schemas of data_manifests, without a package for it: the keywords of JSON Schema 2020-12 that those use.

A keyword that is not known here is an error and not a silent pass, so that a schema that grows is noticed. test_submission.py
holds this to the package jsonschema.
"""
import functools
import json
import re

from .. import layout

ANNOTATIONS = {"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated", "format",
               "contentEncoding", "contentMediaType"}
TYPES = {
    "object": lambda value: isinstance(value, dict), "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str), "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None, "number": lambda value: _is_number(value),
    "integer": lambda value: _is_number(value) and float(value).is_integer()}


@functools.cache
def schema(name):
    """data_manifests/NAME.schema.json."""
    return json.loads((layout.manifests() / f"{name}.schema.json").read_text(encoding="utf-8"))


def problem(schema, value, root=None, place=""):
    """What of a value is not as the schema says.

    :param root: the whole document that `$ref` points into; None: the schema itself
    :return: None where all is well, else (field, what was expected there) of the first problem
    :raises ValueError: a keyword of the schema that is not known here"""
    root = root if root is not None else schema
    if isinstance(schema, bool):
        return None if schema else (place, "nothing")
    for keyword, wanted in schema.items():
        if keyword in ANNOTATIONS or keyword in ("then", "else"):
            continue
        if keyword not in CHECKS:
            raise ValueError(f"a schema has the keyword {keyword}, which python/cortiscore/conforms.py does not know")
        if found := CHECKS[keyword](wanted, value, schema, root, place):
            return found
    return None


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(one, other):
    """Equal as JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _inside(place, name):
    return f"{place}.{name}" if place else str(name)


def _type(wanted, value, schema, root, place):
    names = [wanted] if isinstance(wanted, str) else wanted
    return None if any(TYPES[name](value) for name in names) else (place, " or ".join(names))


def _required(wanted, value, schema, root, place):
    missing = [name for name in wanted if isinstance(value, dict) and name not in value]
    return (_inside(place, missing[0]), "it to be there") if missing else None


def _properties(wanted, value, schema, root, place):
    if not isinstance(value, dict):
        return None
    return next(filter(None, (problem(of, value[name], root, _inside(place, name)) for name, of in wanted.items() if name in value)), None)


def _additional(wanted, value, schema, root, place):
    if not isinstance(value, dict):
        return None
    patterns = schema.get("patternProperties", {})
    others = [name for name in value if name not in schema.get("properties", {}) and not any(_searched(p, name) for p in patterns)]
    return next(filter(None, (problem(wanted, value[name], root, _inside(place, name)) for name in others)), None)


def _pattern_properties(wanted, value, schema, root, place):
    pairs = ((of, name) for pattern, of in wanted.items() for name in value if _searched(pattern, name)) if isinstance(value, dict) else ()
    return next(filter(None, (problem(of, value[name], root, _inside(place, name)) for of, name in pairs)), None)


def _items(wanted, value, schema, root, place):
    if not isinstance(value, list):
        return None
    first = len(schema.get("prefixItems", ()))
    return next(filter(None, (problem(wanted, one, root, _inside(place, i)) for i, one in enumerate(value) if i >= first)), None)


def _prefix_items(wanted, value, schema, root, place):
    if not isinstance(value, list):
        return None
    return next(filter(None, (problem(of, one, root, _inside(place, i)) for i, (of, one) in enumerate(zip(wanted, value)))), None)


def _ref(wanted, value, schema, root, place):
    if not wanted.startswith("#/"):
        raise ValueError(f"a schema points to {wanted}, expected a place in itself")
    target = root
    for name in wanted[2:].split("/"):
        target = target[name]
    return problem(target, value, root, place)


def _if(wanted, value, schema, root, place):
    branch = "else" if problem(wanted, value, root, place) else "then"
    return problem(schema[branch], value, root, place) if branch in schema else None


def _all_of(wanted, value, schema, root, place):
    return next(filter(None, (problem(of, value, root, place) for of in wanted)), None)


def _any_of(wanted, value, schema, root, place):
    problems = [problem(of, value, root, place) for of in wanted]
    return None if None in problems else problems[0]


def _one_of(wanted, value, schema, root, place):
    n = [problem(of, value, root, place) for of in wanted].count(None)
    return None if n == 1 else (place, f"exactly one of {len(wanted)} forms")


def _searched(pattern, text):
    # `$` of JSON Schema is the end of the text; Python's also matches before a last newline.
    return re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), text)


def _bound(holds, kind, size, words):
    """A keyword that compares the size of one kind of value with a number."""
    def check(wanted, value, schema, root, place):
        return (place, f"{words} {wanted}") if kind(value) and not holds(size(value), wanted) else None
    return check


_number = (_is_number, lambda value: value)
_text, _list = (TYPES["string"], len), (TYPES["array"], len)
_at_least, _at_most = (lambda a, b: a >= b), (lambda a, b: a <= b)
CHECKS = {
    "type": _type, "required": _required, "properties": _properties, "additionalProperties": _additional,
    "patternProperties": _pattern_properties, "items": _items, "prefixItems": _prefix_items, "$ref": _ref, "if": _if,
    "allOf": _all_of, "anyOf": _any_of, "oneOf": _one_of,
    "not": lambda wanted, value, schema, root, place: None if problem(wanted, value, root, place) else (place, "it to be otherwise"),
    "const": lambda wanted, value, schema, root, place: None if _same(wanted, value) else (place, json.dumps(wanted)),
    "enum": lambda wanted, value, schema, root, place: (
        None if any(_same(one, value) for one in wanted) else (place, "one of " + ", ".join(map(json.dumps, wanted)))),
    "pattern": lambda wanted, value, schema, root, place: (
        (place, f"text like {wanted}") if isinstance(value, str) and not _searched(wanted, value) else None),
    "minimum": _bound(_at_least, *_number, "a number of at least"), "maximum": _bound(_at_most, *_number, "a number of at most"),
    "exclusiveMinimum": _bound(lambda a, b: a > b, *_number, "a number above"),
    "exclusiveMaximum": _bound(lambda a, b: a < b, *_number, "a number below"),
    "minLength": _bound(_at_least, *_text, "text of a length of at least"),
    "maxLength": _bound(_at_most, *_text, "text of a length of at most"),
    "minItems": _bound(_at_least, *_list, "a list of at least"), "maxItems": _bound(_at_most, *_list, "a list of at most")}
