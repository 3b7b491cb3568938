#!/usr/bin/env python3
"""extract-kernel.py VMLINUZ VMLINUX: the ELF image inside a compressed x86 kernel, as QEMU boots it directly.

A bzImage holds its payload as one xz stream somewhere behind the set-up code; where, is found by trying each place that has
xz's magic number (The Linux/x86 Boot Protocol, `payload_offset`, would say it too, but only for the stream's beginning).
"""
import lzma
import sys

image = open(sys.argv[1], 'rb').read()
at = image.find(b'\xfd7zXZ\x00')
while at >= 0:
    try:
        kernel = lzma.LZMADecompressor().decompress(image[at:])
    except lzma.LZMAError:
        kernel = b''
    if kernel.startswith(b'\x7fELF'):
        open(sys.argv[2], 'wb').write(kernel)
        sys.exit()
    at = image.find(b'\xfd7zXZ\x00', at + 1)
sys.exit('no xz-compressed ELF image in ' + sys.argv[1])
