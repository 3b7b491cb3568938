"""Takes TensorFlow's C library and C headers out of a TensorFlow wheel: unpack.py WHEEL OUT_DIR

Writes OUT_DIR/lib and OUT_DIR/include as tfjs-node expects them. Standard library only. Member names come from a
wheel that pip has checked by sha256; nothing is written outside of OUT_DIR.
"""

import os
import shutil
import sys
import zipfile

HEADERS = 'tensorflow/include/'
HEADER_FOLDERS = tuple(HEADERS + f for f in ('tensorflow/c/', 'tensorflow/core/platform/', 'tsl/c/', 'tsl/platform/'))
LIBRARIES = ('tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2')
# Names under which tfjs-node links: its own headers are 2.9.1's; the C API is the same.
LINKS = {
    'libtensorflow_cc.so.2': ('libtensorflow.so', 'libtensorflow.so.2', 'libtensorflow.so.2.9.1'),
    'libtensorflow_framework.so.2': ('libtensorflow_framework.so', 'libtensorflow_framework.so.2.9.1'),
}


def target(member: str, out: str) -> 'str | None':
    """Where a member of the wheel goes, or None when it is not needed."""
    top, base = member.split('/')[0], member.rsplit('/', 1)[-1]
    bundled = top.endswith('.libs') and '.so' in base  # aarch64 brings its libomp
    if member in LIBRARIES or bundled:
        return os.path.join(out, 'lib', base)
    if member.startswith(HEADER_FOLDERS) and member.endswith('.h'):
        return os.path.join(out, 'include', member[len(HEADERS):])
    return None


def main(wheel: str, out: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            path = target(member, out)
            if path is None:
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(member) as source, open(path, 'wb') as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    lib = os.path.join(out, 'lib')
    for name in os.listdir(lib):
        os.chmod(os.path.join(lib, name), 0o755)
    for library, names in LINKS.items():
        for name in names:
            os.symlink(library, os.path.join(lib, name))


if __name__ == '__main__':
    main(*sys.argv[1:])
