#!/usr/bin/env python3
"""What the program in this directory calls, by its unoptimised machine code.

Usage: graph.py DISASSEMBLY RUSTDOC_JSON

1. Every public function of the crate is called by the program itself, so that the proofs about the
   program are proofs about all of them.
2. No function of the crate takes part in a cycle of calls: nothing recurses, and the stack that an
   operation needs does not depend on its input.
3. Only the functions listed here reach the allocator, whatever the features.

Calls are read from `llvm-objdump --disassemble --demangle`, so they are those of the resolved types,
not of names in a text. Prints what is wrong, and ends with status 3 if that is anything.
"""

import json
import re
import sys

PROGRAM = "no_panic"
LIBRARY = "iov_iter"

# Public functions that the program need not call: a pattern for their names, and why.
EXCEPTIONS = [
    (r"::(CopyFlags|PageFlags|Features)( as .*>)?::", "made by bitflags"),
    (r"File(Reader|Writer) as Debug>::fmt$", "shows text of an error as core does, slicing it"),
    (r"::(NoPage|NoUser) as ", "there is no value to call it on"),
]

# Public functions that may ask for memory, all of them in the layer that allocates or filling a list
# that may be on the heap.
MAY_ALLOCATE = [
    r"Vec as List>::(try_push|try_reserve)$",
    r"(Vec|BufferChannel|&) as WriteChannel>::write(_at|_exclusive)?$",
    r"::Cursor::dup$",
    r"::IovIter::(copy_from_iter_vec|dup|extract_pages|extract_to_scatter_list|extract_to_segments|import_iovec)$",
    r"::IoVector::(add_layout_of|concat|extended|single|try_push|try_with_capacity)$",
    r"::View::describe$",
    r"::SizedBuffer::(append|from_slice|try_reserve|set_len|shrink_to_fit|try_clone|write_at|write_piece_at)$",
    r"::FileReader::(new|return_channel|control|stopper)$",
    # Putting may send, which adds to the list of what is pending, and tidies it up: it keeps its room.
    r"::FileWriter::(new|linear|return_channel|control|stopper|put_|flush|offset|seek|close|into_inner)",
    # An error of `into_inner` drops the file, which sends.
    r"file::error::Error as From>::from$",
    r"FileWriter as (Drop>::drop|Write>::(write|write_all|write_str|flush)|Seek>::seek)$",
]
# Names that the documentation keeps and symbols do not.
ALIASES = {
    "heapless::vec::Vec": "heapless::vec::VecInner",
    "iov_iter::segment::memvec::KVec": "iov_iter::segment::memvec::MemVec",
    "iov_iter::segment::shared::SharedVec": "iov_iter::segment::memvec::MemVec",
}
ALLOCATOR = ["__rustc::__rust_alloc", "__rustc::__rust_alloc_zeroed", "__rustc::__rust_realloc"]


def closing(text, start):
    """The index of the bracket that closes the one at `start`."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] == "<":
            depth += 1
        elif text[at] == ">" and text[at - 1] != "-":
            depth -= 1
            if depth == 0:
                return at
    return len(text)


def plain(path):
    """A path without its generic arguments; references and slices by their sign only."""
    path = path.strip()
    if path.startswith(("&", "[", "*", "(")):
        return path[0]
    out, at = "", 0
    while at < len(path):
        if path[at] == "<":
            at = closing(path, at)
        else:
            out += path[at]
        at += 1
    return out.replace("::::", "::").rstrip(":")


def normalised(symbol):
    """`<a::Type<T> as b::Trait<U>>::f::<V>` as `<a::Type as Trait>::f`, and so on."""
    if not symbol.startswith("<"):
        return plain(symbol)
    end = closing(symbol, 0)
    inner, rest = symbol[1:end], plain(symbol[end + 1 :])
    depth = 0
    for at, sign in enumerate(inner):
        depth += (sign in "<[(") - (sign in ">])" and inner[at - 1] != "-")
        if depth == 0 and inner.startswith(" as ", at):
            trait = plain(inner[at + 4 :]).split("::")[-1]
            return f"<{plain(inner[:at])} as {trait}>{rest}"
    return plain(inner) + rest


def calls_of(disassembly):
    """For each function, by its full name, the functions that it calls."""
    calls, at = {}, None
    label = re.compile(r"^[0-9a-f]+ <(.*)>:$")
    # A jump to a place inside of a function stays in it.
    call = re.compile(r"\s(callq?|j[a-z]+)\s+0x[0-9a-f]+ <(.*?)(\+0x[0-9a-f]+)?>$")
    for line in disassembly:
        if line.endswith(">:\n"):
            at = calls.setdefault(label.match(line)[1], set())
        elif at is not None and (found := call.search(line)) and not found[3]:
            at.add(found[2])
    return calls


def type_name(kind, paths):
    """The type of an implementation, as `plain` would write it."""
    if "resolved_path" in kind:
        path = "::".join(paths[str(kind["resolved_path"]["id"])]["path"])
        return ALIASES.get(path, path)
    if "primitive" in kind:
        return kind["primitive"]
    return {"borrowed_ref": "&", "slice": "[", "array": "[", "tuple": "("}.get(next(iter(kind)))


def public_functions(documentation):
    """The functions that the documentation shows, in the form of `normalised`."""
    index, paths = documentation["index"], documentation["paths"]
    shown, found = set(), set()

    def visit(identity):
        item = index.get(str(identity))
        if not item or identity in shown:
            return
        inner = item["inner"]
        if "use" in inner:
            return visit(inner["use"]["id"])
        shown.add(identity)
        path = "::".join(paths[str(identity)]["path"]) if str(identity) in paths else None
        if "module" in inner:
            for each in inner["module"]["items"]:
                visit(each)
        elif "function" in inner:
            found.add(path)
        elif "trait" in inner:
            for each in inner["trait"]["items"]:
                method = index[str(each)]
                provided = method["inner"].get("function", {}).get("has_body")
                if provided and "#[doc(hidden)]" not in str(method["attrs"]):
                    found.add(f"<_ as {item['name']}>::{method['name']}")

    visit(documentation["root"])
    for item in index.values():
        block = item["inner"].get("impl")
        if not block or item["crate_id"] != 0 or block["is_synthetic"] or block["blanket_impl"]:
            continue
        if "automatically_derived" in str(item["attrs"]):
            continue
        kind = block["for"]
        if "resolved_path" in kind:
            identity = kind["resolved_path"]["id"]
            if str(identity) in index and identity not in shown:
                continue
        name = type_name(kind, paths)
        if name is None:
            # For every type: as good as a provided method.
            name = "_"
        for each in block["items"]:
            method = index[str(each)]
            if "function" not in method["inner"] or "#[doc(hidden)]" in str(method["attrs"]):
                continue
            if block["trait"]:
                trait = block["trait"]["path"].split("::")[-1]
                found.add(f"<{name} as {trait}>::{method['name']}")
            elif method["visibility"] == "public":
                found.add(f"{name}::{method['name']}")
    return found


def is_in(crate, symbol):
    name = normalised(symbol)
    return name.startswith((f"{crate}::", f"<{crate}::"))


def not_called(calls, functions):
    called = set()
    for caller, callees in calls.items():
        if caller == "_start" or is_in(PROGRAM, caller):
            called |= {normalised(callee) for callee in callees}
    # These are called by the language and by the library for formatting, of which the program names
    # only the values: what is linked is called.
    implied = re.compile(r" as (Debug|Display|Drop)>::")
    called |= {name for name in map(normalised, calls) if implied.search(name)}
    # What a trait provides is called on a type that does not replace it. The program has such a type of its
    # own, but for sealed traits.
    provided = re.compile(r"^<(.*::Plain as |& as (?=Segments>)|heapless::vec::VecInner as (?=List>))")
    called |= {provided.sub("<_ as ", name) for name in called}
    return sorted(functions - called)


def reaching(calls, targets):
    """The functions from which calls lead to one of the targets."""
    callers = {}
    for caller, callees in calls.items():
        for callee in callees:
            callers.setdefault(callee, set()).add(caller)
    found, work = set(targets), list(targets)
    while work:
        for caller in callers.get(work.pop(), set()) - found:
            found.add(caller)
            work.append(caller)
    return found


def allocating(calls, functions):
    names = {normalised(name) for name in reaching(calls, ALLOCATOR)}
    return sorted(functions & names)


def cycles(calls):
    """The sets of functions that call each other, by Tarjan's algorithm, without recursion."""
    order, low, on_stack, stack, found = {}, {}, set(), [], []
    for root in calls:
        if root in order:
            continue
        work = [(root, iter(sorted(calls[root])))]
        order[root] = low[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        while work:
            at, callees = work[-1]
            for callee in callees:
                if callee not in calls:
                    continue
                if callee not in order:
                    order[callee] = low[callee] = len(order)
                    stack.append(callee)
                    on_stack.add(callee)
                    work.append((callee, iter(sorted(calls[callee]))))
                    break
                if callee in on_stack:
                    low[at] = min(low[at], order[callee])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[at])
                if low[at] == order[at]:
                    members = set()
                    while at not in members:
                        members.add(stack.pop())
                    on_stack -= members
                    found.append(members)
    return [group for group in found if len(group) > 1 or any(at in calls[at] for at in group)]


def main(disassembly, documentation):
    with open(disassembly) as file:
        calls = calls_of(file)
    with open(documentation) as file:
        functions = public_functions(json.load(file))
    wanted = {
        name for name in functions if not any(re.search(each, name) for each, _ in EXCEPTIONS)
    }
    missing = not_called(calls, wanted)
    recursion = cycles(calls)
    asking = allocating(calls, functions)
    unlisted = [name for name in asking if not any(re.search(each, name) for each in MAY_ALLOCATE)]
    stale = [each for each in MAY_ALLOCATE if not any(re.search(each, name) for name in asking)]
    stale += [each for each, _ in EXCEPTIONS if not any(re.search(each, name) for name in functions)]
    print(f"{len(functions)} public functions, {len(wanted)} to be called, {len(missing)} not called")
    for name in missing:
        print(f"  not called: {name}")
    print(f"{len(calls)} functions in the program, {len(recursion)} cycles of calls")
    for group in recursion:
        print("  cycle: " + ", ".join(sorted(group)))
    print(f"{len(asking)} public functions reach the allocator, {len(unlisted)} of them not listed")
    for name in unlisted:
        print(f"  allocates: {name}")
    for pattern in stale:
        print(f"  listed without need: {pattern}")
    return 3 if missing or recursion or unlisted or stale else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
