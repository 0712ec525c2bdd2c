#!/usr/bin/env python3
"""Compares the prototypes of the header with the functions of the library.

Usage: prototypes.py HEADER RUST-FILE...

The types are compared by what the calling convention sees: pointers, and integers of a size and a sign. Prints what
differs; exits with 1 if anything does.
"""

import re
import sys

C_TYPES = {
    "void": "()", "int": "c_int", "unsigned": "u32", "size_t": "usize", "uintptr_t": "usize", "ssize_t": "isize",
    **{f"{sign}int{bits}_t": f"{'u' if sign else 'i'}{bits}" for sign in ("u", "") for bits in (8, 16, 32, 64)},
}


def c_type(text):
    if "*" in text:
        return "pointer"
    words = [word for word in text.split() if word not in ("const", "struct")]
    return C_TYPES[words[0]]


def rust_type(text):
    text = text.strip()
    return "pointer" if text.startswith(("*", "Option<")) else text


def split(parameters):
    """Parts at the commas that are in no brackets."""
    parts, depth, part = [], 0, ""
    for character in re.sub(r"->", "", parameters):
        depth += (character in "(<[") - (character in ")>]")
        if character == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += character
    return [part.strip() for part in parts + [part] if part.strip()]


def of_header(path):
    text = re.sub(r"/\*.*?\*/", "", open(path).read(), flags=re.S)
    found = {}
    for result, name, parameters in re.findall(r"^([a-z0-9_]+ )(ioviter_\w+)\((.*?)\);", text, flags=re.S | re.M):
        # A parameter that is a function is a pointer.
        types = ["pointer" if "(*" in one else c_type(one) for one in split(parameters)]
        found[name] = ([] if types == ["()"] else types, c_type(result))
    return found


def of_rust(paths):
    found = {}
    for path in paths:
        text = open(path).read()
        functions = r'extern "C" fn (ioviter_\w+)\((.*?)\)(?: -> ([\w]+))? \{'
        for name, parameters, result in re.findall(functions, text, flags=re.S):
            types = [rust_type(one.split(":", 1)[1]) for one in split(parameters)]
            found[name] = (types, result or "()")
        # The families of integers.
        for name, integer in re.findall(r"^    (ioviter_writer_put_\w+) (u\d+): ", text, flags=re.M):
            found[name] = (["pointer", integer], "c_int")
        for name, integer in re.findall(r"^    (ioviter_reader_get_\w+) (u\d+): ", text, flags=re.M):
            found[name] = (["pointer"], integer)
    return found


def main(header, *sources):
    declared, defined = of_header(header), of_rust(sources)
    differ = 0
    for name in sorted(declared.keys() | defined.keys()):
        if declared.get(name) != defined.get(name):
            print(f"{name}: the header says {declared.get(name)}, the library {defined.get(name)}")
            differ = 1
    print(f"{len(declared)} prototypes")
    return differ or len(declared) == 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
