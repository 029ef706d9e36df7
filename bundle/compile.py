"""Compile Python sources for bundle build. Run as: python compile.py SOURCES COMPILED

SOURCES is a series of files: the length of the path (4 bytes, little endian), the path, the length of the source (8 bytes),
the source. COMPILED gets a line with the tag of this Python's caches, such as cpython-38, and for each file the length of
its .pyc (8 bytes, 0 for a source that this Python cannot compile) and the .pyc.
"""

import importlib.util
import marshal
import struct
import sys

# PEP 552: the code is bound to a hash of its source, which is compared with the source at each import.
CHECKED_HASH = 0b11


def read(file, size):
    data = file.read(size)
    if len(data) != size:
        raise EOFError("the sources end early")
    return data


def compiled(path, source):
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except Exception:  # templates, code for another version, tests of the parser
        return b""
    header = importlib.util.MAGIC_NUMBER + struct.pack("<I", CHECKED_HASH) + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


def main(sources, target):
    if not hasattr(importlib.util, "source_hash"):
        sys.exit("Python %d.%d has no .pyc files that are checked by a hash; 3.7 has" % sys.version_info[:2])
    with open(sources, "rb") as file, open(target, "wb") as out:
        out.write(sys.implementation.cache_tag.encode() + b"\n")
        while True:
            head = file.read(4)
            if not head:
                return
            path = read(file, struct.unpack("<I", head)[0]).decode("utf-8", "surrogateescape")
            source = read(file, struct.unpack("<Q", read(file, 8))[0])
            code = compiled(path, source)
            out.write(struct.pack("<Q", len(code)) + code)


main(*sys.argv[1:])
