#!/usr/bin/env python3
"""Holds every include in src/ against the arrows: a folder may use only the folders that stand above it in the list
`rung_folders(...)` of CMakeLists.txt. Also refused: a path out of src/, `../`, a project header in angle brackets, and a
quoted include that is not the full path from src/.

usage: arrows_test.py [ROOT]      exit 1 and one sentence for each include that breaks a rule
       arrows_test.py --self-test
"""
import pathlib
import re
import sys
import tempfile

SOURCE = (".h", ".cc", ".hpp", ".cpp", ".inc")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def folder_order(root):
    """The folders of src/ in the order of CMakeLists.txt, and those of the README's table."""
    text = re.sub(r"#.*", "", (root / "CMakeLists.txt").read_text())
    listed = re.search(r"rung_folders\(([^)]*)\)", text)
    if not listed:
        raise SystemExit(f"{root}/CMakeLists.txt: no rung_folders(...) list; the arrows are its order")
    return [name[4:] for name in listed[1].split() if name.startswith("src/")]


def problems(root):
    src = root / "src"
    order = folder_order(root)
    rank = {name: place for place, name in enumerate(order)}
    found = []
    readme = src / "README.md"
    if readme.exists():
        table = re.findall(r"^\| `([a-z_]+)` \|", readme.read_text(), re.M)
        if table != order:
            found.append(f"src/README.md: its table lists {table}; CMakeLists.txt builds in the order {order}")
    for file in sorted(src.rglob("*")):
        if file.suffix not in SOURCE or not file.is_file():
            continue
        own = file.relative_to(src).parts[0]
        where = file.relative_to(root)
        if own not in rank:
            found.append(f"{where}: its folder is not in rung_folders(...) of CMakeLists.txt")
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            include = INCLUDE.match(line)
            if not include:
                continue
            bracket, path = include.groups()
            at, first = f"{where}:{number}: includes {bracket}{path}", path.split("/")[0]
            if bracket == "<":
                if first in rank and (src / path).exists():
                    found.append(f"{at}: a project header is included in quotes")
                continue
            if ".." in path.split("/") or path.startswith("/"):
                found.append(f"{at}: the path must be the full one from src/, without '..'")
            elif first not in rank:
                found.append(f"{at}: expected the full path from src/, which begins with one of its folders")
            elif rank[first] > rank[own]:
                found.append(f"{at}: the arrow points up; {own} may use only {', '.join(order[: rank[own] + 1])}")
            elif not (src / path).exists():
                found.append(f"{at}: there is no such file in src/")
    return found


def self_test():
    """A tree with one fault of each kind must give exactly these faults."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        (root / "CMakeLists.txt").write_text("rung_folders(src/base # low\n  src/net src/gateway apps/rung)\n")
        for folder in ("base", "net", "gateway", "extra"):
            (root / "src" / folder).mkdir(parents=True)
        put = lambda path, text: (root / "src" / path).write_text(text)
        put("base/a.h", "#include <vector>\n")
        put("net/b.cc", '#include "base/a.h"\n#include "net/b.h"\n')
        put("net/b.h", "#pragma once\n")
        put("gateway/fine.cc", '#include "net/b.h"\n# include "base/a.h"\n#include <sys/epoll.h>\n')
        if problems(root):
            sys.exit(f"a clean tree was refused: {problems(root)}")
        faults = {
            "base/up.h": ('#include "gateway/fine.h"\n', "points up"),
            "net/dots.cc": ('#include "../base/a.h"\n', "without '..'"),
            "net/out.cc": ('#include "apps/rung/commands.h"\n', "begins with one of its folders"),
            "net/short.cc": ('#include "b.h"\n', "begins with one of its folders"),
            "net/angle.cc": ("#include <base/a.h>\n", "in quotes"),
            "net/gone.cc": ('#include "base/gone.h"\n', "no such file"),
            "extra/lost.cc": ("\n", "not in rung_folders"),
        }
        for path, (text, expected) in faults.items():
            put(path, text)
            got = problems(root)
            if len(got) != 1 or expected not in got[0] or path not in got[0]:
                sys.exit(f"{path}: expected one problem with '{expected}', found {got}")
            (root / "src" / path).unlink()
        put("README.md", "| `net` | x |\n| `base` | y |\n")
        if not any("README" in line for line in problems(root)):
            sys.exit("a README with another order was not noticed")
    print("the self-test found every planted fault")


def main():
    if "--self-test" in sys.argv[1:]:
        return self_test()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    found = problems(root.resolve())
    for line in found:
        print(line)
    if found:
        sys.exit(1)
    print("every include follows the arrows")


if __name__ == "__main__":
    main()
