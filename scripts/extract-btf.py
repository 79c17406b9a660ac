#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""extract-btf.py - copies the BTF type information out of a kernel image.

usage: extract-btf.py VMLINUZ OUT

Understands an x86 bzImage, an EFI zboot image (arm64 since 6.2), a gzipped arm64 Image and
uncompressed images; little-endian kernels only. Nothing is booted or installed.
"""
import lzma
import struct
import subprocess
import sys
import zlib

# BTF starts with struct btf_header: magic, version 1, flags 0, hdr_len 24, then the type section
# and the string section as offset and length, both counted from the end of the header.
BTF_MAGIC = struct.pack("<HBBI", 0xEB9F, 1, 0, 24)
BTF_HEADER_BYTES = 24
BTF_MIN_BYTES = 1 << 20  # a kernel has megabytes of it; shorter hits are chance or modules


def external(*command):
    """A decompressor that is a program; it may complain about what follows its frame."""

    def run(data):
        done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return done.stdout

    return run


DECOMPRESSORS = (
    (b"\xfd7zXZ\x00", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x1f\x8b\x08", lambda data: zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data)),
    (b"\x28\xb5\x2f\xfd", external("zstd", "-qdc")),
    (b"\x02\x21\x4c\x18", external("lz4", "-qdc")),
    (b"\x5d\x00\x00", lambda data: lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(data)),
)


def decompress(data):
    for magic, function in DECOMPRESSORS:
        if data.startswith(magic):
            return function(data)
    return data


def payload(image):
    """The compressed kernel inside its boot wrapper (see Documentation/arch/x86/boot.rst)."""
    if image[0x202:0x206] == b"HdrS":
        setup_sectors = image[0x1F1] or 4
        offset, length = struct.unpack_from("<II", image, 0x248)
        offset += (setup_sectors + 1) * 512
        return image[offset:offset + length]
    if image[:2] == b"MZ" and image[4:8] == b"zimg":
        offset, length = struct.unpack_from("<II", image, 8)
        return image[offset:offset + length]
    return image


def find_btf(kernel):
    best = b""
    at = kernel.find(BTF_MAGIC)
    while at >= 0 and at + BTF_HEADER_BYTES <= len(kernel):
        type_off, type_len, str_off, str_len = struct.unpack_from("<IIII", kernel, at + 8)
        end = at + BTF_HEADER_BYTES + str_off + str_len
        if type_off == 0 and str_off == type_len and end <= len(kernel) and end - at > len(best):
            best = kernel[at:end]
        at = kernel.find(BTF_MAGIC, at + 1)
    return best


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        image = file.read()
    btf = find_btf(decompress(payload(image)))
    if len(btf) < BTF_MIN_BYTES:
        sys.exit("extract-btf: no BTF in " + sys.argv[1])
    with open(sys.argv[2], "wb") as file:
        file.write(btf)


if __name__ == "__main__":
    main()
