"""A CUDA source as C++ for tests/emulated/include/cuda_runtime_api.h: python3 translate.py ROOT FILE.cu OUT.cpp

Launches, shared variables and launch bounds are rewritten; all else is macros and functions of that header. Lines stay where
they are, so that compilers, sanitizers and the emulator name the lines of the .cu.
"""
import pathlib
import re
import sys

CLOSING = {"(": ")", "[": "]", "{": "}"}


def without_comments(source):
    """Comments and texts as blanks of the same length, so that nothing in them is taken for code."""
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', lambda found: re.sub(r"[^\n]", " ", found.group()), source, flags=re.S)


def close_of(code, opening):
    """Where the bracket at `opening` closes."""
    depth = 0
    for i in range(opening, len(code)):
        depth += (code[i] in CLOSING) - (code[i] in CLOSING.values())
        if depth == 0:
            return i
    sys.exit(f"a bracket is not closed: {code[opening:opening + 60]!r}")


def edits_of(code):
    """(begin, end, replacement) of everything that no macro can say."""
    for found in re.finditer(r"([A-Za-z_]\w*(?:::\w+)*(?:<[^<>;]*>)?)\s*<<<", code):
        kernel, end = found.group(1), code.index(">>>", found.end())
        yield *found.span(), f'cortiscore::emulated::configured("{kernel}", [](auto... a) {{ {kernel}(a...); }}, '
        yield end, end + 3, ")"
    for found in re.finditer(r"extern\s+__shared__\s+([\w:<>, ]+?)\s+(\w+)\s*\[\s*\]\s*;", code):
        kind, name = found.groups()
        yield *found.span(), f"{kind}* const {name} = static_cast<{kind}*>(cortiscore::emulated::dynamic_shared());"
    for found in re.finditer(r"(?<!extern )__shared__\s+([\w:<>, ]+?)\s+(\w+)\s*((?:\[[^\]]*\]\s*)*);", code):
        kind, name, sizes = found.groups()
        yield *found.span(), f'auto& {name} = cortiscore::emulated::static_shared<{kind}{sizes}>("{name}", __LINE__);'
    for found in re.finditer(r"__launch_bounds__\s*(?=\()", code):
        last = close_of(code, found.end())
        body = code.index("{", close_of(code, code.index("(", last + 1)))
        yield found.start(), last + 1, ""
        yield body, body + 1, "{ cortiscore::emulated::launch_bounds" + code[found.end():last + 1] + ";"


def translate(source, name):
    for begin, end, text in sorted(edits_of(without_comments(source)), reverse=True):
        lost = source[begin:end].count("\n") - text.count("\n")
        source = source[:begin] + text + "\n" * lost + source[end:]
    return f'#include <cuda_runtime_api.h>\n#line 1 "{name}"\n{source}'


if __name__ == "__main__":
    root, given, made = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
    made.write_text(translate(given.read_text(), given.relative_to(root)))
